//! As heaps.c, in Rust: `heaps_rs MIB BLOCK` keeps vectors of BLOCK bytes, made in `keep_vectors`, after a vector and a
//! string have grown and shrunk 20,000 times: whoever counts what is live must not lose count over that.
#[inline(never)]
fn keep_vectors(count: usize, block: usize) -> Vec<Vec<u8>> {
    let mut kept = Vec::with_capacity(count);
    for _ in 0..count {
        kept.push(vec![1u8; block]);
    }
    kept
}

#[inline(never)]
fn grow_and_shrink(round: usize) {
    let mut bytes: Vec<u8> = Vec::new();
    for part in 0..round % 61 {
        bytes.extend(std::iter::repeat_n(1u8, part * round % 701));
    }
    bytes.shrink_to_fit();
    bytes.reserve_exact(round % 4999);
    let mut text = String::new();
    for _ in 0..round % 307 {
        text.push_str("hello ");
    }
    std::hint::black_box((&bytes, &text));
}

fn main() {
    let words: Vec<f64> = std::env::args().skip(1).map(|word| word.parse().unwrap()).collect();
    println!("{}", std::process::id());
    (0..20_000).for_each(grow_and_shrink);
    let kept = keep_vectors((words[0] * 1048576.0 / words[1]) as usize, words[1] as usize);
    assert!(kept.iter().all(|one| one[0] == 1));
}
