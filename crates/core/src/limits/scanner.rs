//! Limits of the scanner role: workers that look into messages, and the pool that has them.

use std::time::Duration;

// ---- scanner -----------------------------------------------------------------------------------------------

/// Workers at once: most that `scanner.workers` may ask for.
pub const SCANNER_WORKERS_MAX: usize = 64;
/// Messages that wait for a free worker; who comes beyond is told that it is busy, and refuses the mail for now.
pub const SCANNER_WAITING_MAX: usize = 1_000;
/// Those of them whose mail one host and its neighbours bring: others find room beside them.
pub const SCANNER_WAITING_HOST_MAX: usize = SCANNER_WAITING_MAX / 2;
/// Workers that are tried for one message while each is gone before it has taken anything of it.
pub const SCANNER_GONE_MAX: usize = 3;
/// Longest wait for a free worker.
pub const SCANNER_QUEUE_TIME: Duration = Duration::from_secs(20);
/// Longest that one message is looked at by the clock on the wall. Beside [`SCAN_TIME`](super::SCAN_TIME) of the processor
/// it leaves room for a busy host; a worker that hangs is killed then.
pub const SCAN_WAIT: Duration = Duration::from_secs(10);
/// Time in which a new worker has closed itself up and says that it is ready.
pub const SCANNER_START_TIME: Duration = Duration::from_secs(20);
/// Messages that one worker looks at; then another takes its place, so that nothing piles up in it, and whoever took it over
/// by one message doesn't see many more.
pub const SCANNER_MESSAGES_MAX: u64 = 1_000;
/// Memory that a worker may have beside what its program takes when it starts, bytes of address space (attacks E3).
pub const SCANNER_MEMORY_MAX: u64 = 256 * 1024 * 1024;
/// Memory that a worker has been given over its life, bytes, after which it asks to be replaced: what was freed in pieces isn't
/// given back.
pub const SCANNER_MEMORY_WORN: u64 = 1024 * 1024 * 1024;
/// Processor time of a worker's whole life, seconds; the kernel ends it then.
pub const SCANNER_CPU_MAX: u64 = 120;
/// Processor time after which it asks to be replaced, so that no message meets the end.
pub const SCANNER_CPU_WORN: Duration = Duration::from_secs(60);
/// Largest answer of a worker, bytes. Ten thousand files with names of a hundred bytes, and all text that is kept, take a
/// quarter of it.
pub const SCANNER_ANSWER_MAX: usize = 8 * 1024 * 1024;
/// Pause after a worker that couldn't be started, before the next is tried; it doubles.
pub const SCANNER_RETRY_TIME: Duration = Duration::from_millis(200);
/// Longest that it becomes.
pub const SCANNER_RETRY_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of a worker's answer that are read at once, and room that is kept for each worker: the usual answer is shorter.
pub const SCANNER_READ_BYTES: usize = 32 * 1024;
