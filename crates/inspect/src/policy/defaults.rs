//! What holds if nothing else is said, in the words that an administrator writes rules in.
//!
//! By name: the list that was recommended for qmail-scanner (SANS Institute 2003, "Recommended quarantine-attachments.txt",
//! after Microsoft's KB 290497), word for word. By what files are: everything that runs, or makes something run, when it is
//! opened. What stands first decides, so the rules that want more stand before those that want less.

use super::rule::Rule;
use mailward_core::config::{Attachments, FileCare};
use mailward_scan::Family;
use mailward_scan::kind::extensions;

/// Extensions with what they are: Appendix B.
pub const NAMES: [(&str, &str); 53] = [
    ("ade", "Access Project Extension (.ade)"),
    ("adp", "Access Project (.adp)"),
    ("asx", "Windows Media Audio / Video(.asx)"),
    ("bas", "Visual Basic Class Module (.bas)"),
    ("bat", "Command.com batch file (.bat)"),
    ("btm", "JP Software fast batch (.btm)"),
    ("chm", "Compiled HTML help file (.chm)"),
    ("cmd", "cmd .exe NT batch (.cmd)"),
    ("com", "Non relocable MSDOS executable binary (.com)"),
    ("cpl", "Control Panel Library (.cpl)"),
    ("crt", "Security Certificate (.crt)"),
    ("css", "Cascading Style Sheets (.css)"),
    ("dbx", "Graphics DataBeam image or Table file Visual Foxpro (.dbx)"),
    ("dll", "Dynamic Link Library (.dll)"),
    ("exe", "Executable File (.exe)"),
    ("hlp", "Windows Help File (.hlp)"),
    ("hqx", "WinZip Executable (.hqx)"),
    ("hta", "HTML Application (.hta)"),
    ("inf", "Windows INF file (.inf)"),
    ("ins", "Internet Naming Service (.ins)"),
    ("isp", "Internet Communication Settings (.isp)"),
    ("js", "JavaScript (.js)"),
    ("jse", "JavaScript Encoded (.jse)"),
    ("lnk", "Windows Explorer Links (.lnk)"),
    ("mda", "Microsoft Access add-in program (.mda)"),
    ("mdb", "Microsoft Access Program (.mdb)"),
    ("mde", "Microsoft Access MDE database (.mde)"),
    ("mdt", "Microsoft Access workgroup information (.mdt)"),
    ("mdw", "Microsoft Access workgroup information (.mdw)"),
    ("mdz", "Microsoft Access wizard program (.mdz)"),
    ("msc", "Microsoft Common Console document (.msc)"),
    ("msi", "Microsoft Windows Installer package (.msi)"),
    ("msp", "Microsoft Windows Installer patch (.msp)"),
    ("mst", "Windows Installer transform or Test source file (.mst)"),
    ("nch", "Newsgroup Internet Explorer or Microsoft Outlook (.nch)"),
    ("ops", "Office XP settings (.ops)"),
    ("pcd", "Photo CD image; Microsoft Visual compiled script (.pcd)"),
    ("pif", "Windows Program Information Files (.pif)"),
    ("prf", "Microsoft Outlook profile settings (.prf)"),
    ("reg", "Windows Registry file (.reg)"),
    ("scf", "Windows Explorer command (.scf)"),
    ("scr", "Screen Saver (.scr)"),
    ("sct", "Windows Script Component (.sct)"),
    ("shb", "Shell Scrap Object (.shb)"),
    ("shs", "Shell automation code (.shs)"),
    ("vb", "VBScript file (.vb)"),
    ("vba", "Visual Basic Application (.vba)"),
    ("vbe", "VBScript Encoded script file (.vbe)"),
    ("vbs", "Visual Basic Script (.vbs)"),
    ("vxd", "Virtual device driver for Microsoft Windows (.vxd)"),
    ("wsc", "Windows Script Component (.wsc)"),
    ("wsf", "Windows Scripting File (.wsf)"),
    ("wsh", "Windows Script Host Settings file (.wsh)"),
];

/// Pages of a book in an EPUB file are no scripts.
const IN_BOOKS: [&str; 2] = ["css", "js"];

/// Rules of what files are, with the word that their action stands for: `D` is `attachments.default`, `E` is
/// `attachments.encrypted`, `M` is `attachments.macros`.
const LINES: &[&str] = &[
    // By what a file is.
    "family=executable D \"programs aren't taken by mail\" as=program",
    "family=script D \"scripts aren't taken by mail\" as=script",
    "family=shortcut D \"shortcuts aren't taken by mail\" as=shortcut",
    "family=disk-image D \"disk images aren't taken by mail\" as=disk-image",
    "kind=onenote D \"OneNote documents start whatever lies in them\" as=onenote",
    "kind=access,sheet-link D \"it runs programs or loads others when it is opened\" as=active-document",
    "has=macro-runs D \"the macro starts when the document is opened\" as=macro-runs",
    "has=dde,launches D \"it starts another program\" as=starts-program",
    "kind=rtf has=object D \"objects in RTF start programs\" as=rtf-object",
    "has=smuggles D \"a page that hands over a file that was never scanned\" as=smuggling",
    "kind=svg has=script D \"a picture with a script\" as=svg-script",
    "has=name-hides D \"the name hides what it is\" as=name-hides",
    // What can't be looked into is never clean.
    "has=overlaps,leads-out,link family=archive D \"the archive is made to do harm\" as=archive",
    "has=multi-volume D \"a part of an archive can't be looked into\" as=multi-volume",
    "has=damaged family=archive D \"a damaged archive opens differently in different programs\" as=damaged",
    "has=encrypted family=archive E \"nobody can look into it\" as=encrypted",
    "kind=office-encrypted E \"nobody can look into it\" as=encrypted-document",
    "has=encrypted kind=word,excel,powerpoint,ole,docx,xlsx,pptx,opendocument E \"nobody can look into it\" as=encrypted-document",
    "has=not-opened family!=media D \"it can't be looked into\" as=not-opened",
    "stopped=any D \"what can't be looked through isn't clean\" as=unscannable",
    // Of the message.
    "type=message/partial D \"Message/partial MIME attachments blocked by policy\" as=message-partial",
    "long=date:100 D \"MIME Header Buffer Overflow\" as=long-date",
    "long=mime-version:100 D \"MIME Header Buffer Overflow\" as=long-mime-version",
    "long=resent-date:100 D \"MIME Header Buffer Overflow\" as=long-resent-date",
];

/// Rules that stand behind those of names.
const MARKS: &[&str] = &[
    "has=macro M \"it has macros\" as=macro",
    "has=encrypted family=document mark \"nobody can look into it\" as=encrypted-pdf",
    "has=remote family=document mark \"it loads something from elsewhere\" as=remote",
    "has=script kind=pdf mark \"it has a script\" as=pdf-script",
    "has=form kind=html,svg mark \"it asks for something and sends it elsewhere\" as=form",
    "has=also mark \"it is two things at once\" as=polyglot",
    "has=name-says,type-says mark \"it isn't what it says\" as=disagrees",
];

/// A file that is called an archive or a disk image, and is of no kind that is known: what opens it isn't known either.
fn unknown_containers() -> String {
    let names: Vec<&str> = [Family::Archive, Family::DiskImage].into_iter().flat_map(extensions).collect();
    format!("ext={} kind=data D \"nobody knows what is in it\" as=unknown-container", names.join(","))
}

/// The rules that hold by default, in their order.
#[must_use]
pub fn rules(attachments: &Attachments) -> Vec<Rule> {
    let names = NAMES.iter().map(|(ext, what)| {
        let but = if IN_BOOKS.contains(ext) { " within!=epub" } else { "" };
        format!("ext={ext}{but} D \"{what}\" as=name-{ext}")
    });
    let lines = LINES.iter().map(|line| (*line).to_owned()).chain(names).chain(std::iter::once(unknown_containers()));
    let lines = lines.chain(MARKS.iter().map(|line| (*line).to_owned()));
    lines.filter_map(|line| said(&line, attachments)).collect()
}

/// A line with its action; none where nothing is to be done.
fn said(line: &str, attachments: &Attachments) -> Option<Rule> {
    let words = [(" D ", attachments.default), (" E ", attachments.encrypted), (" M ", attachments.macros)];
    let line = match words.into_iter().find(|(word, _)| line.contains(word)) {
        Some((_, FileCare::Deliver)) => return None,
        Some((word, care)) => line.replacen(word, &format!(" {} ", care.name()), 1),
        None if attachments.default == FileCare::Deliver => return None,
        None => line.to_owned(),
    };
    Rule::parse(&line).ok()
}

/// How many lines there are.
#[cfg(test)]
pub(super) const COUNT: usize = LINES.len() + NAMES.len() + 1 + MARKS.len();
