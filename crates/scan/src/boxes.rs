//! What can hold files: by its kind, what it is opened with.

mod apple;
mod ar;
mod arj;
mod cab;
mod cpio;
mod inline;
mod iso;
mod lha;
mod pkcs7;
mod rar;
mod rpm;
mod seven;
mod stream;
mod stub;
mod tar;
mod tnef;
mod zip;

use crate::codec::Codec;
use crate::contents::{Item, Trait, Wrapping};
use crate::holder::Holder;
use crate::kind::{self, Family, Kind};
use crate::mail::Mail;
use crate::meter::Meter;
use bytes::Bytes;

/// What something is opened with.
#[derive(Default)]
pub(crate) struct Opened {
    /// In the order in which they are looked at.
    pub(crate) holders: Vec<Box<dyn Holder>>,
    /// What it is as well.
    pub(crate) also: Vec<Kind>,
    /// As what else a document it is looked at: what it is as well, and what its name or type makes of it.
    pub(crate) looked_as: Vec<Kind>,
    /// What is remarkable about it, without opening it.
    pub(crate) notes: Vec<Trait>,
}

/// What something is. A part that is declared to be a message is one, whatever it begins with.
pub(crate) fn kind_of(bytes: &[u8], declared: &str) -> Kind {
    let kind = kind::of(bytes);
    let is_declared = matches!(declared, "message/rfc822" | "message/global" | "message/news");
    if is_declared && matches!(kind.family(), Family::Text | Family::Other) { Kind::Mail } else { kind }
}

/// Everything that opens this: more than one thing where it can be read in more than one way.
pub(crate) fn holders(kind: Kind, item: &Item, bytes: &Bytes, meter: &mut Meter<'_>) -> Opened {
    let mut opened = Opened { also: kind::others_of(kind, bytes), ..Opened::default() };
    let most = meter.items_left().saturating_add(1);
    by_kind(kind, item, bytes, most, meter, &mut opened);
    for other in opened.also.clone() {
        // What stands behind something is looked for below.
        if matches!(other, Kind::Iso | Kind::Tar | Kind::Dmg | Kind::Vhd) {
            by_kind(other, item, bytes, most, meter, &mut opened);
        }
    }
    // A ZIP is read from its end: it may stand behind anything.
    if !is_zip(kind)
        && let Some(zip) = zip::behind(bytes, most)
    {
        if !opened.also.iter().any(|other| is_zip(*other)) {
            opened.also.push(Kind::Zip);
        }
        opened.holders.push(zip);
    }
    let has_more = opened.also.iter().any(|other| matches!(other, Kind::Rar | Kind::SevenZip | Kind::Cab));
    match kind.family() {
        _ if has_more => stub::archives(bytes, most, meter, &mut opened),
        Family::Executable if !is_zip(kind) => stub::archives(bytes, most, meter, &mut opened),
        Family::Text | Family::Other | Family::Page | Family::Script => {
            if let Some(files) = inline::files(bytes, meter) {
                opened.holders.push(files);
            }
        }
        _ => {}
    }
    opened.looked_as = kind::readings(kind, &item.names, &item.declared);
    for other in &opened.also {
        if !opened.looked_as.contains(other) {
            opened.looked_as.push(*other);
        }
    }
    opened
}

/// The kinds that are ZIP archives.
fn is_zip(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Zip
            | Kind::Jar
            | Kind::Apk
            | Kind::Msix
            | Kind::Docx
            | Kind::Xlsx
            | Kind::Pptx
            | Kind::OpenDocument
            | Kind::Epub
            | Kind::Opc
    )
}

fn by_kind(kind: Kind, item: &Item, bytes: &Bytes, most: usize, meter: &mut Meter<'_>, opened: &mut Opened) {
    let mut add = |holder: Option<Box<dyn Holder>>| match holder {
        Some(holder) => opened.holders.push(holder),
        None => opened.notes.push(Trait::NotOpened("its structure can't be read".to_owned())),
    };
    match kind {
        _ if is_zip(kind) => add(zip::open(bytes, most)),
        Kind::Gzip => add(Some(stream::gzip(bytes, &item.names))),
        Kind::Bzip2 => add(Some(stream::open(bytes, &item.names, Codec::Bzip2, stream::BZIP2))),
        Kind::Xz if bytes.starts_with(b"\xfd7zXZ\0") => {
            add(Some(stream::open(bytes, &item.names, Codec::Xz, stream::XZ)));
        }
        Kind::Xz => add(Some(stream::open(bytes, &item.names, Codec::LzmaAlone, stream::LZMA))),
        Kind::Zstd => add(Some(stream::open(bytes, &item.names, Codec::Zstd, stream::ZSTD))),
        Kind::OtherArchive if bytes.starts_with(b"SZDD\x88\xf0\x27\x33A") => {
            add(Some(stream::szdd(bytes, &item.names)))
        }
        Kind::Compress => add(Some(stream::open(bytes, &item.names, Codec::Lzw, stream::COMPRESS))),
        Kind::Tar => add(tar::open(bytes, most)),
        Kind::Cpio => add(cpio::open(bytes, most)),
        Kind::Ar | Kind::Deb => add(ar::open(bytes, most)),
        Kind::Rpm => add(rpm::open(bytes)),
        Kind::SevenZip => add(seven::open(bytes, most, meter)),
        Kind::Cab => add(cab::open(bytes, most)),
        Kind::Rar => add(rar::open(bytes, most)),
        Kind::Iso => add(iso::open(bytes, most)),
        Kind::Lha => add(lha::open(bytes, most)),
        Kind::Arj => add(arj::open(bytes, most)),
        Kind::Tnef => add(tnef::open(bytes, most)),
        Kind::Pkcs7 => match pkcs7::open(bytes) {
            pkcs7::Signed::Content(holder) => add(Some(holder)),
            pkcs7::Signed::Encrypted => opened.notes.push(Trait::Encrypted),
            pkcs7::Signed::Deep => opened.notes.push(Trait::NotOpened("deeper than is looked at".to_owned())),
            pkcs7::Signed::Nothing => {}
        },
        Kind::Mail | Kind::Mhtml => {
            let number = match &item.wrapping {
                Wrapping::Part(number) => number.as_str(),
                _ => "",
            };
            add(Some(Box::new(Mail::new(bytes.clone(), number))));
        }
        Kind::Ace
        | Kind::Chm
        | Kind::Dmg
        | Kind::OtherArchive
        | Kind::RawDisk
        | Kind::Vhd
        | Kind::VmDisk
        | Kind::Wim
        | Kind::Xar => {
            opened.notes.push(Trait::NotOpened(format!("{} isn't opened", kind.name())));
        }
        _ => {
            if let Some(holder) = apple::open(bytes) {
                opened.holders.push(holder);
            }
        }
    }
}
