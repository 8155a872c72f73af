//! A message that was signed once for these trials, in four ways; the keys that signed it are nowhere any more.

/// The domain that signed, below one that there can't be (RFC 2606 §2).
pub(super) const SIGNER: &str = "fixture.mailward-audit.invalid";
/// What is signed: From, Subject and Date.
pub(super) const FIELDS: &str = "From: Trial <trial@fixture.mailward-audit.invalid>\r\nSubject: a trial\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n";
/// And the body.
pub(super) const BODY: &str = "This is a trial.\r\n";

/// The key `good`: 2,048 bits.
pub(super) const GOOD_KEY: &str = "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvNYzXvU0zjwhMTwtwh5YS1BodKnmC2j1hQamq30oib4j4q9bN3z7Fx+x9Yw/QISi9JvyWSeO259hSna/0nBmf5Wr0rlGrWQ5CFMdf4UZj6duiPz5NH685J1HUuq4nG2Bi/4xDCD0Cj5VpBQICP+M5q168FZLcNny9k39dpUWJyudhtYOvAJHztGsWihARbcQ74Fsqjlzx+OTpkvwer4eil8WyOl2wpYE4W8+BRCEkUGrR5YVok+OeEtWjTfpwGYeeorx8AG/K61NXupfnu4JvnQBdbdD4BH2MVs/1NMw4caIylxZ/adO4QZyWf14FVUUmoUZ9WkC5aLU3unj3YKrlQIDAQAB";
/// The key `weak`: 512 bits.
pub(super) const WEAK_KEY: &str = "v=DKIM1; k=rsa; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANBTfc/LwuBFqxY0Wvj2Sz4RGUGlA1j5dBZMfOG2hqarXUz5f6ofWNq5YSHe/qreb628OJsqfBNzWuJLN/4WAbMCAwEAAQ==";

/// As it should be.
pub(super) const GOOD: &str = "DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=fixture.mailward-audit.invalid; s=good;\r\n\
     \th=from:subject:date; bh=AelDtgQOPnkHGfv31xpxDPNDhF0UlAywyqsm3BiVmAw=;\r\n\
     \tb=cH7ej6Ci4J/xMjyhCkDh7xpWZ9KnbtXMXj9NIX7xumqnHYY68yocthkzlsM9NjnRhNvl3g\r\n\
     \t TmLJgR4ehza+p/Ct9fTPvmSk8ptfTZgn6393ZCYkeC5nnqIrhhNFqHD6KNukFD+gQrAsz1\r\n\
     \t rvi8pgGdRrgcsMaUMmqLKxnCi9kkZQosYC2IUtgIrJAvN5uzRyrpYamAe2ABICZQ9saHjh\r\n\
     \t vPYcKw3Kqe6g/xBigQ5/SixD7ResajbhFzjomtSN0brH4Xkf+dd7A8uXwrIKNqgM24NZ1n\r\n\
     \t +zFeC2xI07xG7unN4qyYcOgNlzdFyC6ysFRA5L5hyJKEG5kUdgzoGvscbW+o6Q==\r\n";
/// Of the first 18 bytes of the body alone (`l=`).
pub(super) const LENGTH: &str = "DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=fixture.mailward-audit.invalid; s=good; l=18;\r\n\
     \th=from:subject:date; bh=AelDtgQOPnkHGfv31xpxDPNDhF0UlAywyqsm3BiVmAw=;\r\n\
     \tb=LTDtALOpAKuPI0USmwKhhvwk7F4ZnXPUESIOJXWPUtjyZNAElpiFrBMBuAuJyFVAD6z2M3\r\n\
     \t sDIZ3hXlZcHjs52Os+18BWaCqHMJKwSG9FwW8F0oqFyHC65kjetnBqOMXwROl9r+1fbmhV\r\n\
     \t H0CeO8ArVCAJPb8YNXuEzPPd5+pRBJySTXsrs+YpON5V6TRVT75DUugMtRG1MJfrq4LPnR\r\n\
     \t qBepAvSrj8q/V9TIcgRSclUN66i9xNtx0NHfkttJ86F5Hx2DxEzL2AY+VLCy7WvvDGWHCb\r\n\
     \t EwpxkjkLzowa6YwZhSF075DwBgzjX3k1NgA6rGhPaSF8Asdi2VqzOELt6LfYJQ==\r\n";
/// Of Subject and Date, and not of From.
pub(super) const UNSIGNED: &str = "DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=fixture.mailward-audit.invalid; s=good;\r\n\
     \th=subject:date; bh=AelDtgQOPnkHGfv31xpxDPNDhF0UlAywyqsm3BiVmAw=;\r\n\
     \tb=efXO1JeF8XP1f1I7TdyzQzcbAD5RRcK2Y9FK+A8j5NSmacHiPQP1p0GyJS32OKQDfIU+0E\r\n\
     \t fb6kUXdsk5PAno3aQ04ghSXg9JKkQk26f0pU3KfZuU3+81Qt1UJUWVn7eXiIyUVdPtxkkv\r\n\
     \t 0yptp/MpbANxY93yHArICz35LjJqUep+2jzQX/TTUQ5+5ltWuzpU+F11K5ifEjzqfV5IDZ\r\n\
     \t gkPRPncujvYXx/ggfgZ6Ssh54NRIcZa9P+AS5zjjRWScEygZYjx9Wwf0dD9Nit1Omps3zE\r\n\
     \t j9gyYMN814v7L7KjXpzfQ/Ka4vQchv5Wpogb+ljBxqUkULetKjpCi7sbMbzgzQ==\r\n";
/// With the key `weak`.
pub(super) const WEAK: &str = "DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=fixture.mailward-audit.invalid; s=weak;\r\n\
     \th=from:subject:date; bh=AelDtgQOPnkHGfv31xpxDPNDhF0UlAywyqsm3BiVmAw=;\r\n\
     \tb=n3PlDG6T2rquHov3ISI/hpV5B7faFs2o1VBmzaFetGhidjpZin8lqCXCUJh0+knkXMnEba\r\n\
     \t nQaMd4AbcaiMtfjA==\r\n";
