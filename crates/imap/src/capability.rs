//! What the server can do: one table, from which come CAPABILITY and the page `docs/imap.md`.

/// When an extension is told in CAPABILITY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Before and after login.
    Always,
    /// After login.
    LoggedIn,
    /// It has no word, or one that depends on the connection or the configuration.
    Otherwise,
}

/// Something that a standard adds to IMAP4rev1, or rev2 itself.
#[derive(Clone, Copy, Debug)]
pub struct Extension {
    /// Its word in CAPABILITY, or its name.
    pub name: &'static str,
    /// The standards.
    pub rfc: &'static str,
    /// When it is told.
    pub told: Told,
    /// The test that shows it: `module::function` of `crates/imap/tests/sessions`, `file::function` of
    /// `crates/imap`, or a folder of `tests/scenarios`.
    pub test: &'static str,
    /// What is special here; may be empty.
    pub note: &'static str,
}

macro_rules! extensions {
    ($($name:literal $rfc:literal $told:ident $test:literal $note:literal)*) => {
        &[$(Extension { name: $name, rfc: $rfc, told: Told::$told, test: $test, note: $note }),*]
    };
}

/// All of them, in the order in which they are told.
pub const EXTENSIONS: &[Extension] = extensions! {
    "IMAP4rev1" "3501" Always "reading::a_message_is_read_in_every_way" ""
    "IMAP4rev2" "9051" Always "rev2::rev2_is_spoken_to_who_enables_it" "switched on by ENABLE IMAP4rev2"
    "LITERAL+" "7888" Always "limits::literals_are_refused_by_size_and_number" ""
    "SASL-IR" "4959" Always "entering::every_mechanism_s_first_answer_may_come_early_or_late" ""
    "ENABLE" "5161" Always "condstore::the_first_use_tells_the_highest_number" ""
    "ID" "2971" Always "entering::a_client_says_who_it_is" ""
    "STARTTLS" "3501, 8314" Otherwise "entering::starttls_then_login_opens_the_house" "told before TLS"
    "AUTH=PLAIN, LOGIN, SCRAM-SHA-256, SCRAM-SHA-256-PLUS" "4616, 5802, 7677" Otherwise "15-tls-and-auth" "told under TLS; -PLUS with tls-exporter (RFC 9266)"
    "IDLE" "2177" LoggedIn "several::idle_tells_at_once" ""
    "NAMESPACE" "2342" LoggedIn "mailboxes::mailboxes_are_listed_with_their_use" ""
    "CHILDREN" "3348" LoggedIn "mailboxes::mailboxes_are_listed_with_their_use" ""
    "UIDPLUS" "4315" LoggedIn "writing::messages_are_copied_and_moved_with_their_uids_told" ""
    "UNSELECT" "3691" LoggedIn "writing::deleted_messages_go_when_they_are_expunged" ""
    "MOVE" "6851" LoggedIn "writing::messages_are_copied_and_moved_with_their_uids_told" ""
    "SPECIAL-USE" "6154" LoggedIn "mailboxes::mailboxes_are_listed_with_their_use" ""
    "CREATE-SPECIAL-USE" "6154" LoggedIn "mailboxes::a_special_use_is_given_once" ""
    "CONDSTORE" "7162" LoggedIn "condstore::a_store_leaves_what_others_changed" ""
    "QRESYNC" "7162" LoggedIn "qresync::a_client_that_comes_back_is_told_what_changed" ""
    "ESEARCH" "4731" LoggedIn "reading::searches_find_what_they_say" ""
    "SEARCHRES" "5182" LoggedIn "searching::a_saved_result_is_used_by_its_sign" ""
    "WITHIN" "5032" LoggedIn "reading::searches_find_what_they_say" ""
    "PARTIAL" "9394" LoggedIn "searching::a_window_of_results_is_told" ""
    "SORT" "5256" LoggedIn "sorting::messages_come_in_the_order_that_is_asked_for" ""
    "SORT=DISPLAY" "5957" LoggedIn "sorting::messages_come_in_the_order_that_is_asked_for" ""
    "ESORT" "5267" LoggedIn "sorting::a_sort_returns_what_is_asked_for" "no contexts"
    "THREAD=REFERENCES" "5256" LoggedIn "sorting::conversations_are_told_as_threads" ""
    "THREAD=ORDEREDSUBJECT" "5256" LoggedIn "sorting::conversations_are_told_as_threads" ""
    "LIST-EXTENDED" "5258" LoggedIn "mailboxes::subscriptions_are_kept_apart_from_mailboxes" ""
    "LIST-STATUS" "5819" LoggedIn "mailboxes::subscriptions_are_kept_apart_from_mailboxes" ""
    "LIST-MYRIGHTS" "8440" LoggedIn "sharing::a_list_tells_rights" ""
    "STATUS=SIZE" "8438" LoggedIn "mailboxes::mailboxes_are_listed_with_their_use" ""
    "QUOTA" "9208" LoggedIn "writing::an_account_over_quota_is_told_so" "with QUOTA=RES-STORAGE and QUOTA=RES-MESSAGE"
    "QUOTA=RES-STORAGE" "9208" LoggedIn "writing::an_account_over_quota_is_told_so" ""
    "QUOTA=RES-MESSAGE" "9208" LoggedIn "writing::an_account_over_quota_is_told_so" ""
    "MULTIAPPEND" "3502" LoggedIn "appending::several_messages_come_together_or_not_at_all" "together no larger than one message may be"
    "APPENDLIMIT" "7889" Otherwise "writing::a_message_too_large_is_refused_before_it_is_sent" "told with its number"
    "BINARY" "3516" LoggedIn "parts::parts_are_served_decoded" "what is appended may not hold NUL"
    "REPLACE" "8508" LoggedIn "appending::a_draft_is_replaced_in_one_step" ""
    "OBJECTID" "8474" LoggedIn "parts::ids_stay_with_content_and_mailbox" "THREADID is NIL: THREAD=REFERENCES threads"
    "SAVEDATE" "8514" LoggedIn "parts::the_date_of_saving_is_kept" ""
    "PREVIEW" "8970" LoggedIn "parts::a_preview_is_the_beginning_of_the_text" ""
    "UTF8=ACCEPT" "9755" LoggedIn "rev2::names_and_messages_in_utf8" ""
    "COMPRESS=DEFLATE" "4978" LoggedIn "compress::everything_goes_on_compressed" ""
    "METADATA" "5464" LoggedIn "annotating::annotations_are_kept_and_told" ""
    "ACL" "4314" LoggedIn "sharing::a_shared_mailbox_is_used_as_far_as_its_rights_go" "rights go to users by their address"
    "RIGHTS=texk" "4314" LoggedIn "sharing::rights_are_told_with_the_old_letters" ""
    "NOTIFY" "5465" LoggedIn "notifying::what_is_asked_for_is_told_unasked" ""
    "INPROGRESS" "9585" LoggedIn "src/session/progress.rs::it_speaks_when_it_has_been_silent_for_long" "during SEARCH, SORT and THREAD"
    "UNAUTHENTICATE" "8437" LoggedIn "entering::one_connection_serves_one_user_after_the_other" ""
};

fn words(told: impl Fn(Told) -> bool) -> String {
    let words: Vec<&str> = EXTENSIONS.iter().filter(|e| told(e.told)).map(|e| e.name).collect();
    words.join(" ")
}

pub(crate) fn before_login() -> String {
    words(|told| told == Told::Always)
}

pub(crate) fn after_login() -> String {
    words(|told| told != Told::Otherwise)
}
