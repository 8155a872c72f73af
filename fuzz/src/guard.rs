//! Bans and known devices as the store keeps them: what is read comes back from its own words.

pub fn run(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (key, value) = data.split_at(at);
    let Ok(key) = std::str::from_utf8(key) else { return };
    let value = value.get(1..).unwrap_or_default();
    assert!(mailward_gate::bans::reads_back(key, value));
    assert!(mailward_gate::logins::reads_back(key, value));
    assert!(mailward_gate::clients::reads_back(key, value));
}
