//! What is done with people: those who come, go, report and help.

use super::stated;
use crate::area::Area;
use crate::control::Control;

pub(in crate::controls) const PEOPLE: &[Control] = &[
    stated(
        "OSA-12",
        Area::Access,
        5,
        365,
        [
            "Is there a sealed way in for the day when no administrator can log in, and does its use raise an alarm?",
            "Who leaves, is ill or loses a key must not take the server along; and a way in that nobody watches is a back door.",
            "Put a password of root's, or a key, into a sealed envelope in a safe; write down who may open it and who hears of it; try it once \
             a year, and seal it anew.",
            "ISO/IEC 27001:2022 A.8 (privileged access rights)",
        ],
    ),
    stated(
        "AWR-05",
        Area::Awareness,
        5,
        90,
        [
            "Do users know where to report a message that looks wrong, and was half of what they reported looked at within four hours?",
            "The first to see an attack is a user. What they report helps only if somebody looks before the others have opened theirs.",
            "Give them an address such as phishing@ (`mailward alias add`), tell them to forward as an attachment; write down when each \
             report came and when it was looked at.",
            "ISO/IEC 27001:2022 A.6.8",
        ],
    ),
    stated(
        "AWR-07",
        Area::Awareness,
        10,
        90,
        [
            "Was the mailbox of everybody who left disabled within a day, with all that let them in?",
            "Whoever has left still knows the password, and has a phone that knows it, too.",
            "Compare the list of who left with `mailward user list`; `mailward user set ADDRESS --disable` ends sessions and logins at once.",
            "ISO/IEC 27001:2022 A.6.5",
        ],
    ),
    stated(
        "AWR-09",
        Area::Awareness,
        2,
        60,
        [
            "Do users hear once a month of what happened with their account: logins, new devices, where their mail is led?",
            "Nobody knows better than its owner that an account isn't used as its owner uses it.",
            "Send each what `mailward trace` and `mailward sessions` tell of their account.",
            "practice",
        ],
    ),
];
