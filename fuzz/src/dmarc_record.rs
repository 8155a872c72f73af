//! DMARC records: any bytes as the texts at a name, one a line.

use mailward_core::limits::DMARC_PLACES_MAX;
use mailward_inspect::dmarc::{Record, Request};

pub fn run(data: &[u8]) {
    let texts: Vec<Vec<u8>> = data.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let read: Vec<Record> = texts.iter().filter_map(|text| Record::parse(text)).collect();
    for record in &read {
        assert!(record.reports.len() <= DMARC_PLACES_MAX);
        assert!(record.reports.iter().all(|address| address.domain().is_some()));
        assert!(!record.void || record.policy == Request::None && record.reports.is_empty());
    }
    assert_eq!(Record::of(&texts).is_some(), read.len() == 1, "several are none");
}
