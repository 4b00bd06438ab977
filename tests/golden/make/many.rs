//! Functions of every kind that a mangling has to spell.
use std::fmt::{self, Debug, Display, Write as _};
use std::hint::black_box;
use std::sync::Arc;

pub trait Store {
    fn put(&self, n: u64) -> u64;
    #[inline(never)]
    fn twice(&self, n: u64) -> u64 {
        black_box(self.put(n)) + self.put(n + 1)
    }
}

pub struct Mem<T>(T);
pub struct Flat(u64);

impl<T: Into<u64> + Copy> Mem<T> {
    #[inline(never)]
    fn mix(&self, n: u64) -> u64 {
        black_box(self.0.into() ^ n)
    }
    #[inline(never)]
    fn with<F: Fn(u64) -> u64>(&self, f: F) -> u64 {
        black_box(f(self.mix(3)))
    }
}

impl Mem<i8> {
    #[inline(never)]
    fn signed(&self) -> u64 {
        black_box(self.0 as u64)
    }
}

impl<T: Into<u64> + Copy> Store for Mem<T> {
    #[inline(never)]
    fn put(&self, n: u64) -> u64 {
        black_box(self.mix(n))
    }
}

impl Store for Flat {
    #[inline(never)]
    fn put(&self, n: u64) -> u64 {
        black_box(self.0 + n)
    }
    #[inline(never)]
    fn twice(&self, n: u64) -> u64 {
        black_box(self.put(n) * 2)
    }
}

impl Store for [u64] {
    #[inline(never)]
    fn put(&self, n: u64) -> u64 {
        black_box(self.len() as u64 + n)
    }
}

impl<S: Store + ?Sized> Store for &S {
    #[inline(never)]
    fn put(&self, n: u64) -> u64 {
        black_box((**self).put(n) + 5)
    }
}

impl Store for (u8, Flat) {
    #[inline(never)]
    fn put(&self, n: u64) -> u64 {
        black_box(self.1.0 + n)
    }
}

pub trait Named {
    fn label(&self) -> u64;
}

impl<T: Display> Named for T {
    #[inline(never)]
    fn label(&self) -> u64 {
        let mut text = String::new();
        write!(text, "{self}").unwrap();
        black_box(text.len() as u64)
    }
}

mod inner {
    use super::{Display, Flat, Store, black_box, fmt};
    pub struct Tree<const N: usize>(pub [u64; N]);
    pub struct Leaf(pub u64);

    impl Store for Leaf {
        #[inline(never)]
        fn put(&self, n: u64) -> u64 {
            black_box(self.0 * n)
        }
    }
    impl Flat {
        #[inline(never)]
        pub fn from_below(&self) -> u64 {
            black_box(self.0 + 1)
        }
    }
    impl Display for Flat {
        #[inline(never)]
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("flat")
        }
    }
    impl<const N: usize> Tree<N> {
        #[inline(never)]
        pub fn sum(&self) -> u64 {
            black_box(self.0.iter().sum())
        }
    }
}

impl inner::Leaf {
    #[inline(never)]
    fn from_above(&self) -> u64 {
        black_box(self.0 + 2)
    }
}

impl<const N: usize> inner::Tree<N> {
    #[inline(never)]
    fn deep<const FLAG: bool, const MARK: char>(&self) -> u64 {
        black_box(N as u64 + u64::from(FLAG) + MARK as u64)
    }
}

impl<const N: usize> Drop for inner::Tree<N> {
    #[inline(never)]
    fn drop(&mut self) {
        black_box(self.0[0]);
    }
}

mod größe {
    pub struct Straße(pub u64);
    impl Straße {
        #[inline(never)]
        pub fn länge(&self) -> u64 {
            std::hint::black_box(self.0 + 7)
        }
    }
    #[inline(never)]
    pub fn 東京() -> u64 {
        std::hint::black_box(8)
    }
}

#[inline(never)]
fn serve<S: Store + ?Sized>(store: &S, n: u64) -> u64 {
    #[inline(never)]
    fn within(n: u64) -> u64 {
        black_box(n * 3)
    }
    store.twice(n) + within(n)
}

#[inline(never)]
fn apply<F: FnOnce(u64) -> u64>(f: F) -> u64 {
    black_box(f(4))
}

#[inline(never)]
fn shown<T: Debug>(value: T) -> u64 {
    black_box(format!("{value:?}").len() as u64)
}

#[inline(never)]
fn dynamic(parts: Vec<Box<dyn Store + Send + Sync>>) -> u64 {
    parts.iter().map(|part| part.put(1)).sum()
}

#[inline(never)]
fn called(jobs: Vec<Box<dyn FnOnce(u64) -> u64 + Send>>) -> u64 {
    jobs.into_iter().map(|job| job(2)).sum()
}

#[inline(never)]
fn pointers(f: fn(u64) -> u64, g: extern "C" fn(*const u8) -> u64) -> u64 {
    apply(f) + g(std::ptr::null())
}

extern "C" fn plain(p: *const u8) -> u64 {
    black_box(p as u64)
}

struct Guard<'a>(&'a Flat);
impl<'a> Iterator for Guard<'a> {
    type Item = &'a Flat;
    #[inline(never)]
    fn next(&mut self) -> Option<&'a Flat> {
        black_box(Some(self.0))
    }
}

fn poll_once<F: std::future::Future>(future: F) -> Option<F::Output> {
    let mut pinned = Box::pin(future);
    let waker = std::task::Waker::noop();
    match pinned.as_mut().poll(&mut std::task::Context::from_waker(waker)) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

#[inline(never)]
async fn awaited<T: Store>(store: T, n: u64) -> u64 {
    let later = async { black_box(store.put(n)) };
    later.await
}

fn main() {
    let n = std::env::args().count() as u64;
    let flat = Flat(n);
    let arc: Arc<dyn Store + Send + Sync> = Arc::new(Flat(n));
    let mut total = serve(&Mem(3u32), n) + serve(&Mem(5u8), n) + serve(&flat, n) + serve(&[n, n][..], n);
    total += serve(&&flat, n) + serve(&(1u8, Flat(n)), n) + serve(&*arc, n);
    total += Mem(1u8).with(|k| k + n) + Mem(2u16).with(|k| k * n) + Mem(-1i8).signed();
    total += flat.label() + n.label() + "x".label() + flat.from_below() + inner::Leaf(n).from_above();
    total += inner::Leaf(n).twice(n);
    total += inner::Tree([n; 3]).sum() + inner::Tree([n; 300]).sum();
    total += inner::Tree([n; 3]).deep::<true, 'x'>() + inner::Tree([n; 4]).deep::<false, '∂'>();
    total += größe::Straße(n).länge() + größe::東京();
    total += apply(|k| apply(|m| m + k + n)) + pointers(|x| x + 1, plain);
    total += shown([n; 5]) + shown((n, 1u8)) + shown(Some("a")) + shown(vec![n]) + shown([[1u8; 4]; 2]);
    total += dynamic(vec![Box::new(Flat(n)), Box::new(Mem(9u8)), Box::new(inner::Leaf(n))]);
    total += called(vec![Box::new(move |k| k + n), Box::new(|k| k.label())]);
    total += Guard(&flat).take(2).map(|f| f.0).sum::<u64>();
    total += poll_once(awaited(Mem(7u8), n)).unwrap_or(0);
    let thread = std::thread::Builder::new().name("worker".into()).spawn(move || serve(&Mem(1u64), n));
    total += thread.unwrap().join().unwrap();
    println!("{total}");
}
