using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Limbeck.Inference;
using Limbeck.Training.Data;
using Limbeck.Training.Evaluation;
using Limbeck.Training.Jobs;

namespace Limbeck.Cli.Verbs;

/// <summary><c>limbeck predict</c>.</summary>
internal static class PredictVerb
{
    private const int TextsAtOnce = 512;

    /// <summary>Makes the verb.</summary>
    /// <param name="context">Where to read and write.</param>
    /// <param name="threads">The flag --threads.</param>
    public static Command Make(ToolContext context, Option<int?> threads)
    {
        Verb verb = new(
            "predict",
            "Predicts a label (or a number) for texts: one line a text, the label and its probability, separated by a tab.",
            "limbeck predict student \"a fine film\"",
            "limbeck predict student --file reviews.txt",
            "cut -f2 reviews.tsv | limbeck predict student - --json",
            "limbeck predict student --pair \"The dog barks.\" \"A dog is barking.\"",
            "limbeck predict student --task MRPC --file glue/MRPC/test.tsv");
        Argument<string> model = new("model") { Description = "A Hugging Face directory of a fine-tuned BERT." };
        Argument<string[]> texts = new("text") { Description = "Texts; - for standard input, one a line.", Arity = ArgumentArity.ZeroOrMore };
        Option<string?> file = new("--file") { Description = "A file: .tsv, .csv and .jsonl with columns, any other ending with one text a line.", HelpName = "file" };
        Option<bool> pair = new("--pair") { Description = "Texts are pairs: two arguments, or two texts a line with a tab between." };
        Option<string?> task = new("--task", "--task-name") { Description = "The file is laid out as this GLUE task's.", HelpName = "text" };
        Option<string?> textColumn = new("--text-column") { Description = "Column of the text.", HelpName = "text" };
        Option<string?> pairColumn = new("--pair-column") { Description = "Column of the second text.", HelpName = "text" };
        Option<int?> length = new("--max-seq-length") { Description = "Longest input in tokens; by default what the model's files say.", HelpName = "n" };
        Option<bool> json = new("--json") { Description = "Print one JSON object a text: {label, score, scores}." };
        verb.Arguments.Add(model);
        verb.Arguments.Add(texts);
        foreach (Option option in (Option[])[file, pair, task, textColumn, pairColumn, length, json])
        {
            verb.Options.Add(option);
        }

        verb.SetAction(result =>
        {
            string[] given = result.GetValue(texts) ?? [];
            string? path = result.GetValue(file);
            if ((given.Length > 0) == (path is not null))
            {
                throw new UsageException(path is null ? "limbeck predict: there is no text: give one, or - for standard input, or --file" : "limbeck predict: give texts or --file, not both");
            }

            string folder = result.GetRequiredValue(model);
            if (!Directory.Exists(folder))
            {
                throw new UsageException($"{folder}: there is no such folder; needed a Hugging Face directory of a fine-tuned BERT");
            }

            using TextClassifier classifier = TextClassifier.Load(folder, Options(folder, result.GetValue(length), result.GetValue(threads)));
            bool typed = ReferenceEquals(context.In, Console.In) && !Console.IsInputRedirected;
            IEnumerable<TextInput> inputs = path is not null
                ? FromFile(path, result.GetValue(pair), result.GetValue(task), new TableOptions { TextColumn = result.GetValue(textColumn), PairColumn = result.GetValue(pairColumn), RequireLabels = false }, context.Error)
                : given is ["-"] ? Lines(LinesOf(context.In, typed), "standard input", result.GetValue(pair))
                : Arguments(given, result.GetValue(pair));
            Write(classifier, inputs, result.GetValue(json), given is ["-"] && typed ? 1 : TextsAtOnce, context);
            return ExitCode.Done;
        });
        return verb;
    }

    /// <summary>How to run a model: as long inputs as its files say, or the user.</summary>
    /// <param name="folder">The model's directory.</param>
    /// <param name="asked">What the user says, or null.</param>
    /// <param name="threads">Threads, or null.</param>
    internal static ModelOptions Options(string folder, int? asked, int? threads) =>
        new() { MaxSequenceLength = asked ?? Tokenization.BertTokenizer.FromDirectory(folder).ModelMaxLength, Team = ToolContext.Team(threads) };

    private static void Write(TextClassifier classifier, IEnumerable<TextInput> inputs, bool json, int atOnce, ToolContext context)
    {
        int truncated = 0;
        int count = 0;
        foreach (TextInput[] chunk in inputs.Chunk(atOnce))
        {
            foreach (Prediction prediction in classifier.Classify(chunk, context.Cancellation))
            {
                count++;
                truncated += prediction.Truncated ? 1 : 0;
                if (!float.IsFinite(prediction.Score))
                {
                    throw new InvalidDataException($"text {count}: the model's answer is {prediction.Score}: its weights are damaged (limbeck doctor says more)");
                }

                context.Out.WriteLine(json ? Json(classifier, prediction)
                    : classifier.IsRegression ? prediction.Score.ToString("0.0000", CultureInfo.InvariantCulture)
                    : string.Create(CultureInfo.InvariantCulture, $"{prediction.Label}\t{prediction.Score:0.0000}"));
            }

            context.Out.Flush();
        }

        if (truncated > 0)
        {
            context.Error.WriteLine($"note: {truncated:N0} of {count:N0} texts are longer than {classifier.MaxSequenceLength} tokens and were cut (--max-seq-length)");
        }
    }

    private static string Json(TextClassifier classifier, Prediction prediction)
    {
        return JsonText.OfObject(
            writer =>
            {
                writer.WriteString("label", prediction.Label);
                writer.WriteNumber("score", prediction.Score);
                writer.WriteStartObject("scores");
                for (int c = 0; c < classifier.Labels.Count; c++)
                {
                    writer.WriteNumber(classifier.Labels[c], prediction.Scores[c]);
                }

                writer.WriteEndObject();
            });
    }

    private static IEnumerable<TextInput> Arguments(string[] given, bool pair)
    {
        if (!pair)
        {
            return given.Select(text => new TextInput(text));
        }

        return given.Length % 2 == 0
            ? given.Chunk(2).Select(two => new TextInput(two[0], two[1]))
            : throw new UsageException($"limbeck predict --pair: {given.Length} text(s) make no pairs; needed two of each");
    }

    /// <summary>Lines of a stream, split at \n alone as a file's are: a lone \r may lie inside a text. At a terminal a line is what its editor gives.</summary>
    private static IEnumerable<string> LinesOf(TextReader reader, bool typed)
    {
        if (typed)
        {
            while (reader.ReadLine() is string entered)
            {
                yield return entered;
            }

            yield break;
        }

        StringBuilder line = new();
        int read;
        while ((read = reader.Read()) >= 0)
        {
            if (read != '\n')
            {
                line.Append((char)read);
                continue;
            }

            yield return Taken();
        }

        if (line.Length > 0)
        {
            yield return Taken();
        }

        string Taken()
        {
            string text = line.Length > 0 && line[^1] == '\r' ? line.ToString(0, line.Length - 1) : line.ToString();
            line.Clear();
            return text;
        }
    }

    private static IEnumerable<TextInput> Lines(IEnumerable<string> lines, string place, bool pair)
    {
        int number = 0;
        foreach (string line in lines)
        {
            number++;
            string[] texts = pair ? line.Split('\t') : [line];
            if (pair && texts.Length != 2)
            {
                throw new DataException($"{place}, line {number}: got {texts.Length} text(s); needed two with a tab between (--pair)");
            }

            yield return new TextInput(texts[0], pair ? texts[1] : null);
        }
    }

    private static IEnumerable<TextInput> FromFile(string path, bool pair, string? task, TableOptions table, TextWriter messages)
    {
        if (!File.Exists(path))
        {
            throw new DataException($"{path}: there is no such file");
        }

        string name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
        bool columns = Path.GetExtension(name).ToLowerInvariant() is ".tsv" or ".csv" or ".jsonl" or ".json" or ".ndjson";
        if (!columns && task is null && table is { TextColumn: null, PairColumn: null })
        {
            return Lines(TextLines.Lines(path), path, pair);
        }

        Dataset data = task is not null ? GlueReader.ReadTexts(TaskDefinition.Find(task), path, table)
            : pair ? GlueReader.ReadTexts(TaskDefinition.Custom(TaskKind.Regression, true, []), path, table)
            : TextLines.ReadTable(path, table);
        foreach (string warning in data.Warnings)
        {
            messages.WriteLine($"warning: {warning}");
        }

        return data.Examples.Select(example => new TextInput(example.Text, example.Pair));
    }
}
