//! What the machine does with its stack of slots and operands.

use crate::value::Value;
use crate::whole;

/// Push in place: a value that is written in parts and then copied as a whole makes the processor wait.
#[inline(always)]
pub(crate) fn push(stack: &mut Vec<Value>, value: Value) {
    if stack.len() == stack.capacity() {
        grow(stack);
    }
    stack.push(value);
}

/// Push a slot, to be written.
#[inline(always)]
pub(crate) fn push_unbound(stack: &mut Vec<Value>) -> &mut Value {
    if stack.len() == stack.capacity() {
        grow(stack);
    }
    let length = stack.len();
    // SAFETY: there is room; zeros are an unbound value, and are written before anyone reads
    unsafe {
        let slot = stack.as_mut_ptr().add(length);
        std::ptr::write_bytes(slot, 0, 1);
        stack.set_len(length + 1);
        &mut *slot
    }
}

/// Push what a function gave.
#[inline(always)]
pub(crate) fn push_result(stack: &mut Vec<Value>, value: Value) {
    match value {
        Value::Int(x) => whole::integer(push_unbound(stack), x),
        value => push(stack, value),
    }
}

/// Push a copy of a value.
#[inline(always)]
pub(crate) fn push_copy(stack: &mut Vec<Value>, value: &Value) {
    push(stack, value.clone());
}

/// What stands on a stack from `first` on, in a list of that size.
#[inline]
pub(crate) fn taken<T>(stack: &mut Vec<T>, first: usize) -> Vec<T> {
    let count = stack.len() - first;
    let mut items = Vec::with_capacity(count);
    // SAFETY: so many items stand there, and there is room for them; they are moved, not copied
    unsafe {
        std::ptr::copy_nonoverlapping(stack.as_ptr().add(first), items.as_mut_ptr(), count);
        items.set_len(count);
        stack.set_len(first);
    }
    items
}

/// There is always an operand where one is taken; no value is made up here, as one that is written in parts makes the processor wait.
#[cold]
#[inline(never)]
pub(crate) fn nothing() -> ! {
    panic!("an operation without its operand")
}

#[cold]
#[inline(never)]
pub(crate) fn grow(stack: &mut Vec<Value>) {
    stack.reserve(64);
}
