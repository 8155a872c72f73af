//! What there is to doubt in a message, each with what it weighs.

/// How much a doubt weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Honest mail has it, and nothing hides in it: it is only noted.
    Harmless,
    /// Programs may differ, and honest mail has it now and then: the message is marked, its other readings are judged.
    Doubtful,
    /// Honest programs don't write it, and programs differ in what they see: the message isn't to be delivered unseen.
    Hostile,
}

impl Grade {
    /// As the documentation has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Harmless => "harmless",
            Self::Doubtful => "doubtful",
            Self::Hostile => "hostile",
        }
    }
}

/// Makes the list of kinds: variant, name, grade, what it is.
macro_rules! kinds {
    ($($variant:ident, $name:literal, $grade:ident, $says:literal;)*) => {
        /// What two programs could read in two ways.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(#[doc = $says] $variant,)*
        }

        impl Kind {
            /// All of them, in the order of a message: header, boundaries, encodings, texts, names, types, limits.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As verdicts and logs have it: small letters and hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it weighs.
            #[must_use]
            pub const fn grade(self) -> Grade {
                match self { $(Self::$variant => Grade::$grade,)* }
            }

            /// Whether [`readings`](super::readings) looks at it: it may make others see another file.
            #[must_use]
            pub const fn is_read(self) -> bool {
                matches!(
                    self,
                    Self::ContentTypeTwice
                        | Self::ContentTypeAgain
                        | Self::EncodingTwice
                        | Self::HeaderBroken
                        | Self::BlankLine
                        | Self::LineWithoutColon
                        | Self::NulInHeader
                        | Self::CrInHeader
                        | Self::LineEndsMixed
                        | Self::NameDisguised
                        | Self::BlankBeforeColon
                        | Self::DelimiterInHeader
                        | Self::HeaderWithoutEnd
                        | Self::BoundaryInDoubt
                        | Self::BoundaryMissing
                        | Self::DelimiterNearly
                        | Self::DelimiterAfterCr
                        | Self::PartsAfterClose
                        | Self::PreamblePayload
                        | Self::EpiloguePayload
                        | Self::MultipartEncoded
                        | Self::PartsEncoded
                        | Self::EncodingUnknown
                        | Self::EncodingHides
                        | Self::EncodingRare
                        | Self::EncodingWritten
                        | Self::Base64Padding
                        | Self::Base64Junk
                        | Self::Base64Trailing
                        | Self::QuotedBlank
                        | Self::CharsetUtf7Html
                        | Self::CharsetUtf7
                        | Self::CharsetWide
                        | Self::CharsetOverlong
                        | Self::TooDeep
                        | Self::TooManyParts
                )
            }

            /// What it is, for people, one sentence.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)* }
            }
        }
    };
}

kinds! {
    ContentTypeTwice, "content-type-twice", Hostile, "Content-Type is given twice, and only one of them makes parts, or they make other parts.";
    ContentTypeAgain, "content-type-again", Doubtful, "Content-Type is given twice with different types or parameters; neither makes parts.";
    EncodingTwice, "encoding-twice", Hostile, "Content-Transfer-Encoding is given twice with different encodings.";
    DispositionTwice, "disposition-twice", Doubtful, "Content-Disposition is given twice and differs.";
    FieldTwice, "field-twice", Harmless, "A field of MIME is given twice and says the same.";
    MimeVersionTwice, "mime-version-twice", Harmless, "MIME-Version is given twice and differs.";
    MimeVersionLong, "mime-version-long", Hostile, "MIME-Version is longer than any version: old programs overflow.";
    DateLong, "date-long", Hostile, "Date is longer than any date: old programs overflow.";
    TypeUnreadable, "type-unreadable", Harmless, "Content-Type names no type: it is text for most.";
    ParameterTwice, "parameter-twice", Doubtful, "A parameter is given twice and differs.";
    ParametersMany, "parameters-many", Hostile, "A field has more parameters than are read.";
    HeaderBroken, "header-broken", Hostile, "A line of blanks, or one that is no field, stands between fields of MIME: for some the header ends there.";
    BlankLine, "blank-line-in-header", Doubtful, "A line of blanks stands in a header: for some it ends there.";
    LineWithoutColon, "line-without-colon", Doubtful, "A line of a header is no field: for some the header ends there.";
    NulInHeader, "nul-in-header", Hostile, "A header has a NUL: for some the line ends there.";
    CrInHeader, "cr-in-header", Hostile, "A field follows a bare CR in a header: for some it is a line of its own.";
    CrInValue, "cr-in-value", Doubtful, "A header has a bare CR, and no field follows it.";
    LineEndsMixed, "line-ends-mixed", Doubtful, "Some lines of a header end with CRLF and some with LF.";
    NameOdd, "field-name-odd", Doubtful, "A field's name has blanks, control characters or bytes over 127.";
    NameDisguised, "field-name-disguised", Hostile, "A field's name is one of MIME's but for blanks, control characters or bytes over 127: for some it is that field.";
    BlankBeforeColon, "blank-before-colon", Doubtful, "A blank stands before the colon of a field of MIME: some don't know the field then.";
    DelimiterInHeader, "delimiter-in-header", Hostile, "A delimiter of a multipart stands in its own header: for some the parts begin there.";
    HeaderWithoutEnd, "header-without-end", Doubtful, "A delimiter ends a part's header: for some the header goes on.";
    BoundaryInDoubt, "boundary-in-doubt", Hostile, "Two boundaries can be read, and the body has delimiters of the one that isn't taken.";
    BoundaryMissing, "boundary-missing", Hostile, "A multipart has no boundary, or none of its delimiters occurs, and its body looks like parts.";
    PartsMissing, "parts-missing", Harmless, "A multipart has no parts, and nothing that looks like them.";
    BoundaryLong, "boundary-long", Doubtful, "A boundary is longer than 70 characters.";
    BoundaryOdd, "boundary-odd", Doubtful, "A boundary has control characters, quotes, backslashes, bytes over 127, or blanks at its end.";
    BoundaryExtended, "boundary-extended", Doubtful, "A boundary is cut into pieces or percent-encoded (RFC 2231), or an encoded word.";
    BoundaryComment, "boundary-comment", Doubtful, "A boundary isn't quoted and is followed by a comment or more words.";
    BoundaryReused, "boundary-reused", Doubtful, "A multipart inside another has the same boundary: it has the same parts for all, in another tree.";
    BoundaryPrefix, "boundary-prefix", Doubtful, "The boundary of a multipart begins like that of the multipart around it, or the other way round.";
    DelimiterNearly, "delimiter-nearly", Hostile, "A line begins like a delimiter, isn't one, and a part's header follows it.";
    DelimiterAfterCr, "delimiter-after-cr", Hostile, "A delimiter stands behind a bare CR: for some that is a line's beginning.";
    PartsAfterClose, "parts-after-close", Hostile, "More parts follow the close delimiter of a multipart.";
    PreamblePayload, "preamble-payload", Hostile, "What looks like a part stands before the first delimiter of a multipart.";
    EpiloguePayload, "epilogue-payload", Hostile, "What looks like a part stands behind the close delimiter of a multipart.";
    EpilogueText, "epilogue-text", Harmless, "Text stands behind the close delimiter of a multipart, as mailing lists put it there.";
    CloseMissing, "close-missing", Harmless, "A multipart has no close delimiter.";
    MultipartEncoded, "multipart-encoded", Doubtful, "A multipart is said to be encoded, and its parts are there without decoding.";
    PartsEncoded, "parts-encoded", Hostile, "A multipart is encoded as a whole: its parts show only to who decodes it.";
    MessageEncoded, "message-encoded", Harmless, "A message inside is encoded: it is opened as a file.";
    EncodingUnknown, "encoding-unknown", Doubtful, "Content-Transfer-Encoding is none that is known.";
    EncodingHides, "encoding-hides", Hostile, "Content-Transfer-Encoding is none that is known, and the body is base64.";
    EncodingRare, "encoding-rare", Doubtful, "Content-Transfer-Encoding is one that few programs know (x-uuencode, …).";
    EncodingWritten, "encoding-written", Doubtful, "Content-Transfer-Encoding has quotes, a comment or more words: some don't know the encoding then.";
    Base64Padding, "base64-padding", Doubtful, "Base64 goes on behind its padding: some stop there.";
    Base64Junk, "base64-junk", Doubtful, "Base64 has other characters in it: some skip them, some stop there.";
    Base64Trailing, "base64-trailing", Harmless, "Text follows base64, as mailing lists and virus scanners put it there.";
    Base64Incomplete, "base64-incomplete", Harmless, "Base64 lacks padding, or ends within a group.";
    LineLong, "line-long", Harmless, "An encoded body has a line of more than 998 bytes.";
    QuotedBlank, "quoted-blank", Doubtful, "A soft line break of quoted-printable has blanks behind its `=`: some don't join the lines then.";
    QuotedInvalid, "quoted-invalid", Harmless, "Quoted-printable has an `=` that encodes nothing.";
    QuotedLower, "quoted-lower", Harmless, "Quoted-printable has small hexadecimal digits.";
    QuotedChopped, "quoted-chopped", Doubtful, "Quoted-printable is chopped into lines of a few characters.";
    CharsetUtf7Html, "utf-7-html", Hostile, "HTML in UTF-7: tags show only to who decodes it.";
    CharsetUtf7, "utf-7", Doubtful, "A text is in UTF-7.";
    CharsetWide, "utf-16", Doubtful, "A text is said to be in UTF-16 or UTF-32, which MIME doesn't allow.";
    CharsetShift, "charset-shift", Doubtful, "A text is in a charset of escape sequences that few programs know (ISO-2022-KR, -CN, HZ).";
    CharsetOverlong, "utf-8-overlong", Doubtful, "A text in UTF-8 has characters in more bytes than they take: some decode them.";
    CharsetUnknown, "charset-unknown", Harmless, "A text is in a charset that isn't known.";
    NulInText, "nul-in-text", Doubtful, "A text has a NUL: for some it ends there.";
    FileInText, "file-in-text", Harmless, "A text holds a file (uuencode, yEnc, BinHex): it is opened.";
    NamesDisagree, "names-disagree", Doubtful, "The names of a file end in different ways: all of them are judged.";
    NamesDiffer, "names-differ", Harmless, "Of a file's names some end with what tells a kind, and some don't.";
    NameOverride, "name-override", Hostile, "A file's name turns the direction of writing, so that another end is seen.";
    NameControl, "name-control", Hostile, "A file's name has a NUL or another control character.";
    NameTail, "name-tail", Doubtful, "A file's name ends with a dot or blanks, which some systems drop.";
    NameLong, "name-long", Doubtful, "A file's name is longer than 255 bytes: some cut its end.";
    NameLeadsOut, "name-leads-out", Doubtful, "A file's name leads to another directory.";
    MessagePartial, "message-partial", Hostile, "A piece of a message (message/partial): only who has all of them sees what it is.";
    ExternalBody, "external-body", Doubtful, "What the part shows is fetched from elsewhere (message/external-body).";
    RelatedStart, "related-start", Harmless, "A multipart/related begins with another part than the first.";
    RelatedStartMissing, "related-start-missing", Doubtful, "A multipart/related begins with a part that isn't there.";
    AppleDouble, "appledouble", Harmless, "A file in two forks (multipart/appledouble): both are judged.";
    TooDeep, "too-deep", Hostile, "Parts lie deeper in each other than are read.";
    TooManyParts, "too-many-parts", Hostile, "More parts than are read.";
    TooMuch, "too-much", Hostile, "More doubts than are looked into.";
}
