//! As heaps.c, in Rust: `heaps_rs MIB BLOCK` keeps vectors of BLOCK bytes, made in `keep_vectors`.
#[inline(never)]
fn keep_vectors(count: usize, block: usize) -> Vec<Vec<u8>> {
    let mut kept = Vec::with_capacity(count);
    for _ in 0..count {
        kept.push(vec![1u8; block]);
    }
    kept
}

fn main() {
    let words: Vec<f64> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    println!("{}", std::process::id());
    let kept = keep_vectors((words[0] * 1048576.0 / words[1]) as usize, words[1] as usize);
    assert!(kept.iter().all(|one| one[0] == 1));
}
