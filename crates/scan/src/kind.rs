//! What a file can be, and what it is: by its bytes, and by its name.

mod container;
mod disagree;
mod magic;
mod markup;
mod name;
mod others;
mod script;
mod text;
mod view;

#[cfg(test)]
mod page;
#[cfg(test)]
mod tests;

pub use disagree::disagree;
pub use name::{Named, by_name, extensions, hides, readings};
pub use others::others;
pub(crate) use others::others_of;
pub(crate) use view::{Wide, wide};

use serde::{Deserialize, Serialize};

/// Bytes at a file's beginning in which readers look for PDF's head.
pub(crate) const PDF_LOOKED: usize = 1_024;

/// What a file is, by its bytes alone: their beginning, then certain places, then whether and what text it is. Reads a
/// bounded part of the file but for the directories of ZIPs and compound files; never fails.
#[must_use]
pub fn of(bytes: &[u8]) -> Kind {
    if bytes.is_empty() {
        return Kind::Empty;
    }
    if bytes.starts_with(b"%PDF-") {
        return Kind::Pdf;
    }
    if let Some(kind) = magic::of(bytes).filter(|kind| *kind != Kind::Data) {
        return kind;
    }
    if others::is_late_pdf(bytes) {
        return Kind::Pdf;
    }
    text::of(bytes)
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $name:literal, $family:ident;)*) => {
        /// What a file is, by its bytes.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $($(#[doc = $doc])* $kind,)*
            /// Anything else.
            #[default]
            Data,
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Kind] = &[$(Kind::$kind,)* Kind::Data];

            /// As rules and reports have it: lower case, with hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                    Kind::Data => "data",
                }
            }

            /// What it is, in words for people.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self {
                    $(Kind::$kind => concat!($($doc),*).trim_ascii(),)*
                    Kind::Data => "Anything else.",
                }
            }

            /// What it belongs to.
            #[must_use]
            pub const fn family(self) -> Family {
                match self {
                    $(Kind::$kind => Family::$family,)*
                    Kind::Data => Family::Other,
                }
            }
        }
    };
}

/// Kinds that are the same to a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// A processor or a runtime executes it.
    Executable,
    /// An interpreter executes it.
    Script,
    /// It leads to something that is executed.
    Shortcut,
    /// It is mounted like a disk.
    DiskImage,
    /// Files, or one file, are packed in it.
    Archive,
    /// A document of an office program.
    Document,
    /// A page that a browser shows.
    Page,
    /// A message.
    Message,
    /// Text.
    Text,
    /// A picture, a sound, a film, a font.
    Media,
    /// Signed or encrypted.
    Crypto,
    /// Anything else.
    Other,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 12] = [
        Family::Executable,
        Family::Script,
        Family::Shortcut,
        Family::DiskImage,
        Family::Archive,
        Family::Document,
        Family::Page,
        Family::Message,
        Family::Text,
        Family::Media,
        Family::Crypto,
        Family::Other,
    ];

    /// As rules and reports have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Family::Executable => "executable",
            Family::Script => "script",
            Family::Shortcut => "shortcut",
            Family::DiskImage => "disk-image",
            Family::Archive => "archive",
            Family::Document => "document",
            Family::Page => "page",
            Family::Message => "message",
            Family::Text => "text",
            Family::Media => "media",
            Family::Crypto => "crypto",
            Family::Other => "other",
        }
    }
}

kinds! {
    /// Windows: EXE, DLL, SCR, CPL, SYS (PE).
    Pe = "pe", Executable;
    /// DOS: MZ without PE, or COM.
    Dos = "dos", Executable;
    /// Linux and other Unixes.
    Elf = "elf", Executable;
    /// macOS, one or several architectures.
    MachO = "mach-o", Executable;
    /// A Java class.
    JavaClass = "java-class", Executable;
    /// Java archive.
    Jar = "jar", Executable;
    /// Android application.
    Apk = "apk", Executable;
    /// Android's code.
    Dex = "dex", Executable;
    /// WebAssembly.
    Wasm = "wasm", Executable;
    /// Windows Installer.
    Msi = "msi", Executable;
    /// Windows application package.
    Msix = "msix", Executable;
    /// Debian package.
    Deb = "deb", Executable;
    /// RPM package.
    Rpm = "rpm", Executable;
    /// macOS installer package (xar).
    Xar = "xar", Executable;
    /// Compiled help.
    Chm = "chm", Executable;
    /// Flash.
    Swf = "swf", Executable;
    /// A Unix script: `#!`.
    Shell = "shell", Script;
    /// Windows batch.
    Batch = "batch", Script;
    /// PowerShell.
    PowerShell = "powershell", Script;
    /// VBScript, plain or encoded.
    VbScript = "vbscript", Script;
    /// JavaScript, plain or encoded.
    JavaScript = "javascript", Script;
    /// Compiled AppleScript.
    AppleScript = "applescript", Script;
    /// Windows Script File, scriptlet, HTML application, management console, style sheet with a script.
    ScriptPage = "script-page", Script;
    /// Registry entries.
    Registry = "registry", Script;
    /// Setup information.
    Inf = "inf", Script;
    /// Windows shortcut.
    Lnk = "lnk", Shortcut;
    /// Internet shortcut, `.desktop`, `.webloc`, `.library-ms`, `.search-ms`, `.rdp`, `.jnlp`, `.application`.
    UrlFile = "url-file", Shortcut;
    /// ISO 9660 or UDF.
    Iso = "iso", DiskImage;
    /// VHD or VHDX.
    Vhd = "vhd", DiskImage;
    /// VMDK, QCOW.
    VmDisk = "vm-disk", DiskImage;
    /// Apple disk image.
    Dmg = "dmg", DiskImage;
    /// Windows image (WIM).
    Wim = "wim", DiskImage;
    /// A file system without more.
    RawDisk = "raw-disk", DiskImage;
    /// ZIP.
    Zip = "zip", Archive;
    /// gzip.
    Gzip = "gzip", Archive;
    /// bzip2.
    Bzip2 = "bzip2", Archive;
    /// xz or lzma.
    Xz = "xz", Archive;
    /// Zstandard.
    Zstd = "zstd", Archive;
    /// compress.
    Compress = "compress", Archive;
    /// tar.
    Tar = "tar", Archive;
    /// 7z.
    SevenZip = "7z", Archive;
    /// Windows cabinet.
    Cab = "cab", Archive;
    /// RAR 4 or 5.
    Rar = "rar", Archive;
    /// LHA, LZH.
    Lha = "lha", Archive;
    /// ARJ.
    Arj = "arj", Archive;
    /// ACE.
    Ace = "ace", Archive;
    /// cpio.
    Cpio = "cpio", Archive;
    /// ar.
    Ar = "ar", Archive;
    /// winmail.dat.
    Tnef = "tnef", Archive;
    /// An archive of another format: LZ4, lzip, StuffIt, ALZ, ZOO …
    OtherArchive = "other-archive", Archive;
    /// Word, the old format.
    Word = "word", Document;
    /// Excel, the old format.
    Excel = "excel", Document;
    /// PowerPoint, the old format.
    PowerPoint = "powerpoint", Document;
    /// Another compound file.
    Ole = "ole", Document;
    /// An Office document that is encrypted as a whole.
    OfficeEncrypted = "office-encrypted", Document;
    /// Word, Office Open XML.
    Docx = "docx", Document;
    /// Excel, Office Open XML or binary in a ZIP.
    Xlsx = "xlsx", Document;
    /// PowerPoint, Office Open XML.
    Pptx = "pptx", Document;
    /// Another package of the Open Packaging Conventions: Visio, XPS …
    Opc = "opc", Document;
    /// An Office document in one XML file: Word and Excel 2003, flat OPC, flat OpenDocument.
    OfficeXml = "office-xml", Document;
    /// A package of macros in a page that Office wrote.
    ActiveMime = "activemime", Document;
    /// OpenDocument.
    OpenDocument = "opendocument", Document;
    /// PDF.
    Pdf = "pdf", Document;
    /// Rich text.
    Rtf = "rtf", Document;
    /// OneNote.
    OneNote = "onenote", Document;
    /// An Excel query, SYLK, a data link.
    SheetLink = "sheet-link", Document;
    /// Microsoft Access.
    Access = "access", Document;
    /// An Outlook message.
    Msg = "msg", Document;
    /// EPUB.
    Epub = "epub", Document;
    /// HTML.
    Html = "html", Page;
    /// SVG.
    Svg = "svg", Page;
    /// A web archive (MHTML).
    Mhtml = "mhtml", Page;
    /// A message (RFC 5322).
    Mail = "mail", Message;
    /// Plain text.
    PlainText = "text", Text;
    /// XML.
    Xml = "xml", Text;
    /// A calendar.
    Calendar = "calendar", Text;
    /// A contact.
    Contact = "contact", Text;
    /// A picture of a common format.
    Image = "image", Media;
    /// A sound.
    Audio = "audio", Media;
    /// A film.
    Video = "video", Media;
    /// A font.
    Font = "font", Media;
    /// PKCS #7, S/MIME.
    Pkcs7 = "pkcs7", Crypto;
    /// OpenPGP.
    OpenPgp = "openpgp", Crypto;
    /// A certificate or a key.
    Certificate = "certificate", Crypto;
    /// No bytes.
    Empty = "empty", Other;
}
