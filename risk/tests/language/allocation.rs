//! A set of rules, once compiled, is evaluated without taking memory from the allocator.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
};

use risk::language::Compiler;

use crate::generate::{self, Random, Taste};

thread_local! {
    /// Allocations of this thread while it counts.
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The system's allocator, counting for threads that asked it to.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait")]
// SAFETY: every call goes to the system's allocator with what it was given; counting touches no memory of it and
// allocates none, because the counter is a `const` thread-local without a destructor. Growing and zeroing come here
// too, through the trait's own methods.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counter any more.
        let _ending = COUNTED.try_with(|counted| counted.set(counted.get().map(|count| count + 1)));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// How often `work` allocated.
fn allocations(work: impl FnOnce()) -> u64 {
    COUNTED.set(Some(0));
    work();
    COUNTED.replace(None).expect("this thread counts")
}

/// Answers without allocating, as books do.
struct Dear;

impl risk::language::Past for Dear {
    fn window(
        &self,
        number: usize,
        _window: &risk::language::Window,
        _request: &risk::language::Request<'_>,
    ) -> i64 {
        i64::try_from(number % 40).unwrap_or(0)
    }

    fn listed(&self, list: &risk::language::NamedList, _key: risk::language::Key<'_>) -> bool {
        list.name.len().is_multiple_of(2)
    }
}

#[test]
fn evaluating_two_hundred_rules_allocates_nothing() {
    let mut random = Random(11);
    let mut compiler = Compiler::new(generate::names());
    let mut rules = 0;
    while rules < 200 {
        if let Ok(checked) = compiler.check(&generate::rule(&mut random, Taste { extremes: true })) {
            compiler.add(checked, None);
            rules += 1;
        }
    }
    let code = compiler.finish().expect("they fit");
    let facts: Vec<_> = (0..50).map(|_| generate::facts(&mut random, Taste { extremes: true })).collect();
    let requests: Vec<_> = facts.iter().map(generate::Facts::request).collect();
    let mut fired = 0;
    let counted = allocations(|| {
        for request in &requests {
            fired += code.run(black_box(request), &Dear).fired.iter().count();
        }
    });
    assert_eq!(counted, 0);
    assert!(fired > 1_000, "the rules were really evaluated: {fired}");
    assert_ne!(allocations(|| drop(black_box(vec![0_u8; 9]))), 0, "and the counter really counts");
}
