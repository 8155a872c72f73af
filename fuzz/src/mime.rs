//! Messages: the walk, what is kept of it, and what is decoded by it.

use mailward_core::limits::{
    HEADER_BYTES_MAX, HEADER_FIELDS_MAX, MIME_DEPTH_MAX, MIME_PARTS_MAX, PREVIEW_CHARACTERS_MAX, RECEIVED_HOPS_MAX,
    REFERENCES_MAX,
};
use mailward_message::{
    Part, Section, Structure, accept, content, date, decode, downgrade, header, preview, references, subject,
};

pub fn run(data: &[u8]) {
    let structure = Structure::parse(data);
    check(&structure, Some(data));
    let kept = structure.to_bytes();
    assert_eq!(Structure::from_bytes(&kept).as_ref(), Ok(&structure), "what was kept is what was seen");
    // The same bytes as a damaged or hostile database might hold them: with our own beginning, and as they are.
    if let Ok(read) = Structure::from_bytes(data) {
        check(&read, None);
    }
    let mut mixed = kept;
    for (kept, new) in mixed.iter_mut().skip(1).zip(data) {
        *kept ^= new;
    }
    if let Ok(read) = Structure::from_bytes(&mixed) {
        check(&read, None);
    }
    match accept::check(data) {
        Ok(facts) => {
            assert!(facts.header_bytes <= HEADER_BYTES_MAX && facts.fields <= HEADER_FIELDS_MAX);
            assert!(facts.received <= RECEIVED_HOPS_MAX);
            assert_eq!(facts.header_bytes, header::header_end(data));
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
    fields(data);
    let shown = preview::preview(data, &structure);
    assert!(shown.chars().count() <= PREVIEW_CHARACTERS_MAX && !shown.chars().any(char::is_control), "{shown:?}");
    let text = decode::text_of(data, &structure);
    if let Some(searchable) = decode::searchable(data, &structure) {
        assert!(searchable.contains(&decode::fold(&text.header)) && searchable.contains(&decode::fold(&text.body)));
    }
    for found in [&text.subject, &text.from, &text.to, &text.cc, &text.bcc] {
        assert!(found.len() <= 16 * data.len() + 64, "{} bytes of {}", found.len(), data.len());
    }
}

fn fields(data: &[u8]) {
    let end = header::header_end(data);
    assert!(end <= data.len());
    let mut at = 0;
    for field in header::fields(data) {
        assert!(field.whole.start == at && field.whole.end > at && field.whole.end <= data.len(), "fields touch");
        at = field.whole.end;
        let text = decode::header_text(field.value);
        let base = subject::base_subject(&text);
        assert!(base.text.len() <= text.len());
        let again = subject::base_subject(&base.text);
        assert!(again.text == base.text && !again.is_reply_or_forward, "{text:?}");
        let ids = references::message_ids(field.value);
        assert!(
            ids.len() <= REFERENCES_MAX && ids.iter().all(|id| id.contains('@') && !id.contains(['\r', '\n', '\0']))
        );
        let _date = date::parse(field.value);
        let _internal = date::parse_internal(field.value);
        let _type = content::parse_type(field.value);
        let _disposition = content::parse_disposition(field.value);
        let _encoding = content::parse_encoding(field.value);
        let _languages = content::parse_languages(field.value);
        let unfolded = header::unfold(field.value);
        assert!(!unfolded.contains(&b'\n'));
    }
    let (head, _) = data.split_at(end);
    if let Some(without) = downgrade::header(head) {
        assert!(without.len() <= 4 * head.len() + 100 * (head.len() / 2 + 1), "an address makes a line at most");
        for field in header::fields(&without) {
            let whole = &without[field.whole];
            assert!(whole.is_ascii() || std::str::from_utf8(whole).is_err(), "no UTF-8 is left");
        }
        assert_eq!(downgrade::header(&without), None, "once is enough");
    }
    let names: [&[u8]; 2] = [b"from", b"Content-Type"];
    let (some, others) = (header::select(data, &names, false), header::select(data, &names, true));
    assert!(some.len() + others.len() <= data.len() + 8, "what is chosen and what isn't are parts of the whole");
}

/// Everything a client can ask for. `message` is given where the structure is of these bytes.
fn check(structure: &Structure, message: Option<&[u8]>) {
    let size = structure.size();
    assert!(structure.parts().count() <= MIME_PARTS_MAX);
    let mut met = 0;
    walk(structure, structure.root(), &mut Vec::new(), &mut met, message);
    assert_eq!(met, structure.parts().count(), "every part is somebody's child, once");
    for path in [&[] as &[u32], &[1], &[1, 1], &[2], &[0], &[u32::MAX], &[1, 2, 3]] {
        for section in [Section::Whole, Section::Header, Section::Text, Section::Mime] {
            if let Some(range) = structure.section(path, section) {
                assert!(range.start <= range.end && range.end <= size);
            }
        }
    }
    let stored = structure.to_bytes();
    let envelope = Structure::envelope_from_bytes(&stored).expect("what was just stored");
    assert_eq!(envelope.subject, structure.envelope().subject.as_deref());
}

fn walk(structure: &Structure, part: &Part, path: &mut Vec<usize>, met: &mut usize, message: Option<&[u8]>) {
    *met += 1;
    assert!(path.len() <= MIME_DEPTH_MAX);
    assert!(part.header.start <= part.header.end && part.header.end == part.body.start);
    assert!(part.body.start <= part.body.end && part.body.end <= structure.size());
    if let Some(message) = message {
        let _name = decode::file_name(part);
        let bytes = decode::part_bytes(message, part);
        assert!(bytes.len() <= message.len(), "decoding never grows");
        if part.is_text() {
            let _text = decode::part_text(message, part);
        }
    }
    let mut from = part.body.start;
    for (number, child) in structure.children(part).enumerate() {
        assert!(
            child.header.start >= from && child.body.end <= part.body.end,
            "children lie in their parent, in order"
        );
        from = child.body.end;
        path.push(number);
        walk(structure, child, path, met, message);
        path.pop();
    }
}
