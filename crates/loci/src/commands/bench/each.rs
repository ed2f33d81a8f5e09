//! Each method in a process of its own: what one has left with the allocator would count as the next one's memory.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use loci_context::MethodSpec;
use loci_kernels::tiles::RowType;

use super::{Output, SpeedArgs};
use crate::error::CliError;
use crate::ui::Ui;

/// Measures `methods` one after the other, by this program with one of them.
pub(super) fn measure(
    args: &SpeedArgs,
    methods: &[(String, MethodSpec)],
    ui: &Ui,
) -> Result<Output, CliError> {
    let program = std::env::current_exe()?;
    let lengths: Vec<String> = args.lengths.iter().map(usize::to_string).collect();
    let mut all: Option<Output> = None;
    for (text, spec) in methods {
        ui.say(&format!("{text}, {} tokens", lengths.join(", ")));
        let ended = Command::new(&program)
            .args(arguments(args, spec))
            .stdin(Stdio::null())
            // It says itself what went wrong.
            .stderr(Stdio::inherit())
            .output()?;
        if !ended.status.success() {
            return Err(match ended.status.code() {
                Some(code) => CliError::Said(u8::try_from(code).unwrap_or(1)),
                None => CliError::failed(format!(
                    "the measurement of {text} was ended from outside ({}), perhaps for want of memory",
                    ended.status
                )),
            });
        }
        let mut one: Output = serde_json::from_slice(&ended.stdout)?;
        one.results.iter_mut().for_each(|result| result.requested.clone_from(text));
        match &mut all {
            Some(all) => all.results.append(&mut one.results),
            None => all = Some(one),
        }
    }
    let mut all = all.ok_or_else(|| CliError::usage("give at least one method"))?;
    // As ratios are shown: all methods at one length, then at the next.
    all.results.sort_by_key(|result| args.lengths.iter().position(|length| *length == result.length));
    Ok(all)
}

/// What is typed to measure one of the methods as the others.
fn arguments(args: &SpeedArgs, spec: &MethodSpec) -> Vec<OsString> {
    let SpeedArgs { lengths, methods: _, repeats, decode, json: _, memory, model } = args;
    // What is printed of a method has the parts that were named apart.
    let super::MemoryArgs { parts: _, kv, budget, heads, draft } = memory;
    let lengths: Vec<String> = lengths.iter().map(usize::to_string).collect();
    let mut typed: Vec<OsString> = ["--quiet", "bench", "speed", "--json"].map(OsString::from).into();
    let mut add = |flag: &str, value: OsString| typed.extend([flag.into(), value]);
    add("--methods", spec.to_string().into());
    add("--lengths", lengths.join(",").into());
    add("--repeats", repeats.to_string().into());
    add("--decode", decode.to_string().into());
    add("--kv", RowType::from(*kv).name().into());
    add("--model", model.name().into());
    let optional = [
        ("--budget", budget.map(|bytes| bytes.to_string().into())),
        ("--heads", heads.as_ref().map(Into::into)),
        ("--draft", draft.as_ref().map(Into::into)),
        ("--threads", model.threads.map(|threads| threads.to_string().into())),
    ];
    optional.into_iter().for_each(|(flag, value)| value.into_iter().for_each(|value| add(flag, value)));
    typed
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::methods;
    use crate::cli::{Cli, Command};
    use crate::commands::bench::{Args, What};

    fn speed(typed: impl IntoIterator<Item = OsString>) -> SpeedArgs {
        match Cli::try_parse_from(std::iter::once("loci".into()).chain(typed)).unwrap().command {
            Command::Bench(Args { what: What::Speed(args) }) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_method_is_typed_with_all_that_was_asked() {
        let typed = "bench speed --methods inf-llm:window=512+i4,em-llm --select top-blocks --lengths 40,99 \
                     --repeats 2 --decode 5 --kv f16 --budget 1MiB --heads gates.tsv --draft self -m tiny.gguf --threads 3";
        let asked = speed(typed.split_whitespace().map(OsString::from));
        let specs = methods("em-llm+select=top-blocks,inf-llm:window=512+i4", &speed_parts()).unwrap();
        for (_, spec) in &specs {
            let one = speed(arguments(&asked, spec));
            let read = methods(&one.methods, &one.memory.parts).unwrap();
            let [(_, found)] = read.as_slice() else { panic!("{} is not one method", one.methods) };
            assert_eq!(found.to_string(), spec.to_string());
            assert!(one.json);
            let same = SpeedArgs { json: asked.json, methods: asked.methods.clone(), ..one };
            let parts = |text: String| text.replace("select: Some(\"top-blocks\")", "select: None");
            assert_eq!(format!("{same:?}"), parts(format!("{asked:?}")));
        }
    }

    fn speed_parts() -> crate::args::PartArgs {
        speed(["bench", "speed"].map(OsString::from)).memory.parts
    }
}
