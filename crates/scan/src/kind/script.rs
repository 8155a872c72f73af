//! Scripts without a mark of their own. Prose that speaks of scripts, and programs in languages that no system runs at a
//! click, are none.

use super::Kind;
use super::view::{View, is_prose};

/// Lines that are weighed.
const LINES_MAX: usize = 400;
/// So many characters written as escapes aren't written for readers.
const ESCAPES: usize = 40;

/// What only scripts of Windows' script host and of office macros say.
const HOST: [&[u8]; 9] = [
    b"activexobject(",
    b"wscript.shell",
    b"wscript.createobject",
    b"wscript.scriptfullname",
    b"wscript.sleep",
    b"wscript.quit",
    b"wscript.echo",
    b"wscript.arguments",
    b"new enumerator(",
];

/// Which script, if one.
pub(super) fn of(view: &View) -> Option<Kind> {
    let kind = batch(view).or_else(|| hosted(view)).or_else(|| powershell(view))?;
    (starts_as_one(view) || !is_mostly_prose(view) && !starts_with_words(view)).then_some(kind)
}

fn starts_as_one(view: &View) -> bool {
    const STARTS: [&[u8]; 6] =
        [b"@echo off", b"on error resume next", b"option explicit", b"<#", b"#requires ", b"[cmdletbinding"];
    view.lines().next().is_some_and(|line| STARTS.iter().any(|s| line.starts_with(s)))
}

/// Whether the first line only has words, as a greeting has, that are no statement.
fn starts_with_words(view: &View) -> bool {
    const STATEMENTS: [&[u8]; 12] = [
        b"dim",
        b"set",
        b"sub",
        b"function",
        b"private",
        b"public",
        b"const",
        b"echo",
        b"cls",
        b"setlocal enable",
        b"rem",
        b"start",
    ];
    let Some(line) = view.lines().next() else { return false };
    let is_words =
        line.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b' ' | b',' | b'!' | b'.' | b':' | b'\'' | 0x80..));
    let first = line.split(|b| !b.is_ascii_alphabetic()).next().unwrap_or_default();
    is_words && (line.contains(&b' ') || !line.ends_with(first)) && !STATEMENTS.contains(&first)
}

fn is_mostly_prose(view: &View) -> bool {
    let (mut all, mut prose) = (0_usize, 0_usize);
    for line in view.lines().take(LINES_MAX) {
        all = all.saturating_add(1);
        prose = prose.saturating_add(usize::from(is_prose(line)));
    }
    prose.saturating_mul(4) >= all
}

fn batch(view: &View) -> Option<Kind> {
    const MARKS: [&[u8]; 21] = [
        b"@echo off",
        b"%~dp0",
        b"%comspec%",
        b"setlocal",
        b"goto :eof",
        b">nul",
        b"> nul",
        b"%appdata%",
        b"%temp%",
        b"cmd /c ",
        b"cmd.exe /c ",
        b"reg add ",
        b"schtasks /create",
        b"certutil -",
        b"bitsadmin /",
        b"timeout /t ",
        b"taskkill /",
        b"powershell",
        b"rundll32",
        b"regsvr32 ",
        b"mshta ",
    ];
    if view.begins_line(b"@echo off") {
        return Some(Kind::Batch);
    }
    // Most text has neither, and then no two of the marks.
    let may_be =
        view.has(b'%') || view.holds(b"cmd") || view.holds(b"nul") || view.holds(b"powershell") || view.holds(b"32 ");
    (may_be && view.count(&MARKS) >= 2 && !view.holds(b"$env:")).then_some(Kind::Batch)
}

/// Windows' script host: VBScript and JScript.
fn hosted(view: &View) -> Option<Kind> {
    const BASIC: [&[u8]; 9] = [
        b"dim ",
        b"set ",
        b"sub ",
        b"end sub",
        b"end function",
        b"on error resume next",
        b"end if",
        b"option explicit",
        b"private sub",
    ];
    let basic = || BASIC.iter().filter(|word| view.begins_line(word)).count();
    let hosts = view.count(&HOST) > 0;
    if (hosts || view.holds(b"createobject(") || view.holds(b"executeglobal"))
        && !view.holds(b"activexobject(")
        && basic() > 0
    {
        return Some(Kind::VbScript);
    }
    if hosts {
        return Some(Kind::JavaScript);
    }
    let hides = || {
        view.count(&[b"string.fromcharcode", b"unescape(", b"atob("]) > 0
            || memchr::memmem::find_iter(view.all(), b"\\x").take(ESCAPES).count() == ESCAPES
    };
    let runs = view.holds(b"eval(") || view.holds(b"new function(");
    (runs && hides() && view.has(b';')).then_some(Kind::JavaScript)
}

fn powershell(view: &View) -> Option<Kind> {
    const STRONG: [&[u8]; 12] = [
        b"invoke-expression",
        b"| iex",
        b"|iex",
        b"iex (",
        b"iex(",
        b"new-object net.webclient",
        b"new-object system.net.webclient",
        b"]::frombase64string(",
        b"[system.reflection.assembly]::load",
        b"add-mppreference",
        b"set-mppreference",
        b"-encodedcommand",
    ];
    const MARKS: [&[u8]; 17] = [
        b"write-host",
        b"write-output",
        b"get-childitem",
        b"get-content",
        b"set-content",
        b"start-process",
        b"invoke-webrequest",
        b"invoke-restmethod",
        b"new-object",
        b"[cmdletbinding",
        b"$env:",
        b"foreach-object",
        b"where-object",
        b"import-module",
        b"-erroraction",
        b"set-executionpolicy",
        b"start-sleep",
    ];
    if !view.has(b'-') && !view.has(b'$') {
        return None;
    }
    let strong = view.count(&STRONG);
    if strong == 0 && !view.has(b'$') {
        return None;
    }
    (strong >= 2 || strong.saturating_add(view.count(&MARKS)) >= 2).then_some(Kind::PowerShell)
}
