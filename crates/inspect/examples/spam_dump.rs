use mailward_inspect::spam::*;
use mailward_message::Structure;
use mailward_store::records::*;
fn run(name: &str, train: &[&(bool, i64, Vec<u64>)], test: &[&(bool, i64, Vec<u64>)]) {
    let mut table = Table::default();
    for (spam, _, t) in train {
        table.learn(t, if *spam { Lesson::Spam } else { Lesson::Ham }, 0);
    }
    let mut ham: Vec<f64> = test.iter().filter(|m| !m.0).map(|m| judge(&m.2, &table, None).unwrap().margin).collect();
    let spam: Vec<f64> = test.iter().filter(|m| m.0).map(|m| judge(&m.2, &table, None).unwrap().margin).collect();
    ham.sort_by(|a, b| b.total_cmp(a));
    print!("{name} {} tokens: ", table.len());
    for fp in [0, 1, 2, 4, 8] {
        let th = ham[fp];
        print!("fp{fp} {:.2}% @{th:.2}  ", spam.iter().filter(|s| **s > th).count() as f64 * 100.0 / spam.len() as f64);
    }
    for th in [0.4, 0.6, 0.8, 1.0] {
        print!(
            " |>{th}: {} {:.2}%",
            ham.iter().filter(|h| **h > th).count(),
            spam.iter().filter(|s| **s > th).count() as f64 * 100.0 / spam.len() as f64
        );
    }
    println!();
}
fn main() {
    let key = TokenKey::fixed();
    let mut all = Vec::new();
    let mut time = std::time::Duration::ZERO;
    let mut bytes_sum = 0;
    for group in ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"] {
        let mut names: Vec<_> = std::fs::read_dir(format!("/tmp/spam/package/data/{group}"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "txt"))
            .collect();
        names.sort();
        for name in names {
            let bytes = std::fs::read(&name).unwrap();
            let s = Structure::parse(&bytes);
            let date = s
                .envelope()
                .date
                .as_ref()
                .and_then(|d| mailward_message::date::parse(d.as_bytes()))
                .map_or(0, |d| d.timestamp.0);
            let t0 = std::time::Instant::now();
            let t = tokens(&bytes, &s, &key);
            time += t0.elapsed();
            bytes_sum += bytes.len();
            all.push((group.starts_with("spam"), date, t));
        }
    }
    println!("{:?} for {} KiB, {} messages", time, bytes_sum / 1024, all.len());
    let mut r = 88172645463325252u64;
    let mut shuffled = |which: usize| {
        let mut v: Vec<_> = all.iter().enumerate().filter(|(i, _)| i % 2 == which).map(|(_, m)| m).collect();
        for i in (1..v.len()).rev() {
            r ^= r << 13;
            r ^= r >> 7;
            r ^= r << 17;
            v.swap(i, (r % (i as u64 + 1)) as usize);
        }
        v
    };
    let (even, odd) = (shuffled(0), shuffled(1));
    run("even-odd", &even, &odd);
    run("odd-even", &odd, &even);
    let mut by: Vec<_> = all.iter().collect();
    by.sort_by_key(|m| m.1);
    let (old, new) = by.split_at(by.len() / 2);
    run("old-new", old, new);
}
