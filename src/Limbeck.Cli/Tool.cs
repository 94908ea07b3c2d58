using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Limbeck.Checkpoints;
using Limbeck.Cli.Verbs;
using Limbeck.Tokenization;
using Limbeck.Training.Data;
using Limbeck.Training.Jobs;
using Limbeck.Training.Loop;

namespace Limbeck.Cli;

/// <summary>The tool from its arguments to its exit status: parsing, help, and one clear message for everything that goes wrong.</summary>
internal static class Tool
{
    private static readonly string[] ResumableVerbs = ["finetune", "pretrain", "compress", "augment", "run"];

    /// <summary>Runs a command line.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="output">Results.</param>
    /// <param name="error">Progress and messages.</param>
    /// <param name="input">Standard input.</param>
    /// <param name="cancellation">When it is signalled, work is put in a safe place and ends.</param>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output, TextWriter error, TextReader input, CancellationToken cancellation = default)
    {
        string verb = string.Empty;
        try
        {
            if (Environment.GetEnvironmentVariable("LIMBECK_NUM_THREADS") is string threads && !string.IsNullOrWhiteSpace(threads) && (!int.TryParse(threads, out int count) || count < 1))
            {
                throw new UsageException($"LIMBECK_NUM_THREADS is '{threads}'; a whole number of at least 1 is needed. Correct it or unset it.");
            }

            args = Kebab(args);
            RootCommand root = Build(new ToolContext(output, error, input, cancellation));
            ParseResult result = root.Parse(args);
            verb = result.CommandResult.Command.Name;
            if (Faults(result, args) is { Count: > 0 } faults)
            {
                foreach (string fault in faults)
                {
                    await error.WriteLineAsync(fault).ConfigureAwait(false);
                }

                await error.WriteLineAsync($"See: limbeck {Path(result.CommandResult.Command)}--help").ConfigureAwait(false);
                return ExitCode.Usage;
            }

            InvocationConfiguration configuration = new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = output, Error = error };
            return await result.InvokeAsync(configuration, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            return Report(e, verb, args, error);
        }
    }

    /// <summary>The arguments with flags in kebab-case: transformers' own spelling, --learning_rate, is understood too.</summary>
    private static string[] Kebab(string[] args)
    {
        int rest = Array.IndexOf(args, "--");
        return [.. args.Select((arg, i) =>
        {
            int end = arg.IndexOfAny(['=', ':', ' ']);
            end = end < 0 ? arg.Length : end;
            bool flag = arg.StartsWith("--", StringComparison.Ordinal) && (rest < 0 || i < rest) && (end == arg.Length || arg[end] != ' ');
            return flag ? arg[..end].Replace('_', '-') + arg[end..] : arg;
        })];
    }

    private static RootCommand Build(ToolContext context)
    {
        RootCommand root = new("Limbeck compresses BERT models and runs the result fast, in C# alone: from a Hugging Face directory and a labelled file to a smaller model that keeps the quality.");
        Option<int?> threads = new("--threads", "--num-threads") { Description = "Threads to compute on; by default LIMBECK_NUM_THREADS, or one a physical core. The result does not depend on it.", Recursive = true, HelpName = "n" };
        threads.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out int count) && count < 1)
            {
                result.AddError($"--threads is {count}; needed 1 or more");
            }
        });
        root.Options.Add(threads);
        root.Subcommands.Add(FineTuneVerb.Make(context, threads));
        root.Subcommands.Add(PretrainVerb.Make(context, threads));
        root.Subcommands.Add(CompressVerb.Make(context, threads));
        root.Subcommands.Add(AugmentVerb.Make(context, threads));
        root.Subcommands.Add(EvaluateVerb.Make(context, threads));
        root.Subcommands.Add(PredictVerb.Make(context, threads));
        root.Subcommands.Add(InspectVerb.Make(context));
        root.Subcommands.Add(DoctorVerb.Make(context, threads));
        root.Subcommands.Add(RecipeVerb.Make(context));
        root.Subcommands.Add(RunVerb.Make(context, threads));
        root.Subcommands.Add(CacheVerb.Make(context));
        root.Subcommands.Add(QuickstartVerb.Make(context, threads));
        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction help })
            {
                option.Action = new HelpWithExamples(help);
            }
        }

        return root;
    }

    /// <summary>What is wrong with the command line, one sentence each.</summary>
    private static List<string> Faults(ParseResult result, string[] args)
    {
        Command command = result.CommandResult.Command;
        List<string> known = [.. Lineage(command).SelectMany(level => level.Options.Where(option => level == command || option.Recursive)).SelectMany(option => option.Aliases.Append(option.Name))];
        List<string> faults = [];
        foreach (string arg in args.TakeWhile(arg => arg != "--"))
        {
            // A mistyped flag would otherwise pass for an argument, such as a text to classify.
            string name = arg.Split('=', ':')[0];
            if (name.StartsWith("--", StringComparison.Ordinal) && !name.Contains(' ', StringComparison.Ordinal) && !known.Contains(name))
            {
                faults.Add($"unknown flag {name}.{SettingsSchema.Suggest(name, known.Where(flag => flag.StartsWith("--", StringComparison.Ordinal)))}");
            }
        }

        if (faults.Count > 0)
        {
            return faults;
        }

        foreach (string stray in result.UnmatchedTokens)
        {
            string? verb = command.Subcommands.Count > 0 ? SettingsSchema.Suggest(stray, command.Subcommands.Select(inner => inner.Name)) : string.Empty;
            faults.Add(command.Subcommands.Count > 0 ? $"unknown command '{stray}'.{verb}" : $"'{stray}' has no place in this command");
        }

        return faults.Count > 0 ? faults : [.. result.Errors.Select(Told).Distinct()];
    }

    private static string Told(ParseError fault) =>
        fault.SymbolResult is OptionResult { Tokens: [var token] } flag && flag.Option.ValueType == typeof(int?) && !int.TryParse(token.Value, out _)
            ? $"{flag.Option.Name} is '{token.Value}'; needed a whole number, at most {int.MaxValue}"
            : fault.Message;

    private static IEnumerable<Command> Lineage(Command command) =>
        command.Parents.OfType<Command>().SelectMany(Lineage).Append(command);

    private static string Path(Command command) => string.Concat(Lineage(command).Where(level => level is not RootCommand).Select(level => level.Name + " "));

    private static int Report(Exception exception, string verb, string[] args, TextWriter error)
    {
        if (Environment.GetEnvironmentVariable("LIMBECK_DEBUG") == "1")
        {
            error.WriteLine(exception);
        }

        if (exception is AggregateException { InnerExceptions.Count: 1 } one)
        {
            exception = one.InnerExceptions[0];
        }

        switch (exception)
        {
            case OperationCanceledException:
                error.WriteLine("interrupted");
                if (ResumableVerbs.Contains(verb))
                {
                    IEnumerable<string> again = args.Where(arg => arg is not ("--resume" or "--overwrite-output-dir" or "--overwrite")).Append("--resume");
                    error.WriteLine($"to go on: limbeck {string.Join(' ', again.Select(Quote))}");
                }

                return ExitCode.Interrupted;
            case UsageException:
                error.WriteLine(exception.Message);
                return ExitCode.Usage;
            case DataException or CheckpointException or TokenizerException or TrainingException or IOException or UnauthorizedAccessException or InvalidDataException or ArgumentException or NotSupportedException:
                error.WriteLine($"error: {exception.Message}");
                return ExitCode.Failed;
            default:
                error.WriteLine($"error: something unforeseen went wrong ({exception.GetType().Name}: {exception.Message}). Set LIMBECK_DEBUG=1 to see where, and please report it.");
                return ExitCode.Failed;
        }
    }

    private static string Quote(string arg) => arg.Length > 0 && arg.All(c => char.IsAsciiLetterOrDigit(c) || "-_./=:,+@%".Contains(c, StringComparison.Ordinal)) ? arg : $"'{arg.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    /// <summary>The usual help, then the verb's remarks and examples.</summary>
    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int status = help.Invoke(parseResult);
            TextWriter output = parseResult.InvocationConfiguration.Output;
            if (parseResult.CommandResult.Command is Verb verb)
            {
                if (verb.Remarks.Length > 0)
                {
                    output.WriteLine(verb.Remarks);
                    output.WriteLine();
                }

                output.WriteLine(verb.Examples.Count == 1 ? "Example:" : "Examples:");
                foreach (string example in verb.Examples)
                {
                    output.WriteLine($"  {example}");
                }

                output.WriteLine();
            }
            else if (parseResult.CommandResult.Command is RootCommand)
            {
                output.WriteLine("Examples:");
                output.WriteLine("  limbeck quickstart                                         the whole job on made-up data, in minutes");
                output.WriteLine("  limbeck finetune --model MiniLM --train-file reviews.csv --validation-split 0.1 --output-dir teacher");
                output.WriteLine("  limbeck compress --teacher-model teacher --student-model tinybert3-312 --train-file reviews.csv --validation-split 0.1 --output-dir student");
                output.WriteLine("  limbeck predict student \"a fine film\"");
                output.WriteLine();
                output.WriteLine("Exit status: 0 done, 1 failed, 2 wrong usage, 3 a quality gate was missed, 130 interrupted.");
            }

            return status;
        }
    }
}
