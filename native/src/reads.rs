//! Which members of an argument a program reads, where it does nothing else with it.

use crate::brief::Operand;
use crate::builtins::is_function;
use crate::code::{Code, Op};
use crate::skim::{Part, Wanted};

/// With more members than this, reading all of a document is as good.
const MANY: usize = 16;

/// Of the argument in `slot` of a function. `free` names are members of it too. None: it needs all of it.
pub fn reads(code: &Code, function: usize, slot: u16, free: bool) -> Option<Wanted> {
    let mut wanted = Wanted::default();
    let name = |site: u32| &code.sites[site as usize].name;
    let start = code.functions[function].entry;
    let end = code.functions.get(function + 1).map_or(code.ops.len(), |next| next.entry);
    let ops = &code.ops[start..end];
    for (at, op) in ops.iter().enumerate() {
        // what stands on top when a call of `len` begins is its argument, whatever else leads there
        let part = || if ops.get(at + 1).is_some_and(|next| is_len(code, next)) { Part::Count } else { Part::All };
        match *op {
            Op::LocalField { slot: used, site } if used == slot => wanted.add(name(site), part()),
            Op::Pair(pair) | Op::PairJump { pair, .. } => {
                let pair = &code.pairs[pair as usize];
                for (operand, _) in [pair.left, pair.right] {
                    match operand {
                        Operand::Field { slot: used, site } if used == slot => wanted.add(name(site), Part::All),
                        Operand::Local(used) if used == slot => return None,
                        _ => {}
                    }
                }
            }
            // the one behind them is looked at by itself
            Op::SetUnitLocal { slot: used, .. } | Op::Locals { slot: used, .. } if used == slot => return None,
            Op::LocalAndField { first: used, .. } if used == slot => return None,
            Op::LocalJump { slot: used, .. } | Op::SetUnit { slot: used, .. } if used == slot => return None,
            Op::Test(test) => {
                let test = &code.tests[test as usize];
                if test.slot == slot {
                    wanted.add(name(test.site), Part::All);
                }
            }
            Op::FreeField { outer, inner } if free => {
                wanted.add(name(outer), Part::Inner(Wanted::only(name(inner))));
            }
            Op::FreeBinary { site, .. } if free => wanted.add(name(site), Part::All),
            Op::FreeAnd { condition, .. } if free => {
                wanted.add(name(code.conditions[condition as usize].site), Part::All);
            }
            Op::Free(site) if free => wanted.add(name(site), part()),
            Op::Local(used) | Op::SetLocal(used) if used == u32::from(slot) => return None,
            Op::ReturnMerged { slot: used, .. } if used == slot => return None,
            Op::Unpack(slots) | Op::Unbind(slots) if code.slots[slots as usize].contains(&slot) => return None,
            Op::Next(round) if code.rounds[round as usize].slots.contains(&slot) => return None,
            _ => {}
        }
    }
    (wanted.len() <= MANY).then_some(wanted)
}

fn is_len(code: &Code, op: &Op) -> bool {
    let Op::Function(call) = *op else { return false };
    let call = &code.calls[call as usize];
    call.positional == 1 && call.names.is_empty() && is_function(call.index, "len")
}
