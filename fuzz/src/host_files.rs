//! What a host's files and programs say, which somebody who broke in may have written: every parser of the audit.

pub fn run(data: &[u8]) {
    mailward_audit::parsers::all(data);
}
