//! Keys of when the server is under stress.

use super::Key;

/// In the order of the file.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "limits.stress_enter",
        form: "10 to 100",
        unit: "parts of 100 of limits.connections",
        help: "So many connections are stress: who isn't logged in and has brought nothing gets shorter times and\n\
               fewer mistakes, and who holds many connections gets no more.",
        reloads: true,
        read: |c, v| v.count(10, 100).map(|n| c.limits.stress_enter = n),
        write: |c| c.limits.stress_enter.to_string(),
    },
    Key {
        path: "limits.stress_leave",
        form: "1 to 99",
        unit: "parts of 100 of limits.connections",
        help: "Below so many it is over. No more than limits.stress_enter, which stands for it if it is left out.",
        reloads: true,
        read: |c, v| v.count(1, 99).map(|n| c.limits.stress_leave = n),
        write: |c| c.limits.stress_leave.to_string(),
    },
];
