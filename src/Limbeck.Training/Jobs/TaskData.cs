using Limbeck.Models;
using Limbeck.Training.Data;

namespace Limbeck.Training.Jobs;

/// <summary>The rows of a job: what to train on and what to score, with their task.</summary>
/// <param name="Task">GLUE's, or one of the user's own.</param>
/// <param name="Train">Labelled rows.</param>
/// <param name="Validation">Labelled rows, or null when nothing shall be scored.</param>
/// <param name="Mismatched">MNLI's second development set; null for all else.</param>
internal sealed record TaskData(TaskDefinition Task, Dataset Train, Dataset? Validation, Dataset? Mismatched)
{
    /// <summary>The default of the longest input: the paper's for GLUE under distillation.</summary>
    public int PaperLength => Task.IsGlue ? Task.MaxSequenceLength : FineTuneSettings.DefaultLength;

    /// <summary>The task in a title: GLUE's name, or that of the user's file.</summary>
    public string Title => Task.IsGlue ? Task.Name : Train.Name.Split(" (")[0];

    /// <summary>Reads what the settings name, and says what is worth knowing about it.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <param name="teacher">A model whose labels the user's own data must have; null when the training file decides.</param>
    /// <param name="messages">Receives warnings.</param>
    /// <exception cref="DataException">A file cannot be used.</exception>
    /// <exception cref="UsageException">There is no such combination.</exception>
    public static TaskData Read(TaskSettings settings, BertConfig? teacher, TextWriter messages)
    {
        TaskData data = settings.Task is null ? ReadOwn(settings, teacher) : ReadGlue(settings, TaskDefinition.Find(settings.Task));
        string[] warnings = [.. data.Train.Warnings, .. data.Validation?.Warnings ?? [], .. data.Mismatched?.Warnings ?? []];
        if (settings.ValidationSplit > 0)
        {
            (Dataset train, Dataset validation) = Splitter.Split(data.Train, settings.ValidationSplit, settings.Seed);
            data = data with { Train = train, Validation = validation };
        }

        if (!data.Train.HasLabels)
        {
            throw new DataException($"{data.Train.Name}: the rows to train on have no labels");
        }

        if (data.Validation is { HasLabels: false })
        {
            throw new DataException($"{data.Validation.Name}: the rows to score have no labels");
        }

        data = data with
        {
            Train = First(data.Train, settings.MaxTrainSamples),
            Validation = data.Validation is null ? null : First(data.Validation, settings.MaxEvalSamples),
            Mismatched = data.Mismatched is null ? null : First(data.Mismatched, settings.MaxEvalSamples),
        };
        foreach (string warning in warnings)
        {
            messages.WriteLine($"warning: {warning}");
        }

        messages.WriteLine($"data: {data.Train.Name}, {data.Train.Examples.Count:N0} rows to train on{Labels(data.Train)}");
        messages.WriteLine(data.Validation is null
            ? "warning: there is nothing to score the model on: give --validation-file or --validation-split 0.1"
            : $"      {data.Validation.Name}, {data.Validation.Examples.Count:N0} rows to score");
        return data;
    }

    private static TaskData ReadGlue(TaskSettings settings, TaskDefinition task)
    {
        if (task == TaskDefinition.Ax)
        {
            throw new UsageException("AX has no labels to train on: train on MNLI, and predict AX with that model");
        }

        Dataset train = settings.TrainFile is not null ? GlueReader.ReadFile(task, settings.TrainFile, settings.Table) : GlueReader.Read(task, settings.DataDir!, "train");
        Dataset? validation = settings.ValidationFile is not null ? GlueReader.ReadFile(task, settings.ValidationFile, settings.Table)
            : settings.ValidationSplit > 0 || settings.DataDir is null ? null
            : GlueReader.Read(task, settings.DataDir, "dev");
        Dataset? mismatched = task == TaskDefinition.Mnli && validation is not null && settings.ValidationFile is null
            ? GlueReader.Read(task, settings.DataDir!, "dev_mismatched")
            : null;
        return new TaskData(task, train, validation, mismatched);
    }

    private static TaskData ReadOwn(TaskSettings settings, BertConfig? teacher)
    {
        TableOptions table = teacher is null ? settings.Table : settings.Table with { Regression = teacher.IsRegression };
        if (teacher is not null && settings.Regression is bool asked && asked != teacher.IsRegression)
        {
            throw new UsageException($"--regression is {asked}, but the teacher predicts {(teacher.IsRegression ? "a number" : "a label")}");
        }

        Dataset train = TableReader.Read(settings.TrainFile!, table, teacher is null || teacher.IsRegression ? null : TaskLabels.InData(teacher));
        Dataset? validation = settings.ValidationFile is null ? null : TableReader.ReadAs(train.Task, settings.ValidationFile, table);
        return new TaskData(train.Task, train, validation, null);
    }

    private static Dataset First(Dataset data, int rows) =>
        rows == 0 || rows >= data.Examples.Count ? data : data.Select($"{data.Name} (first {rows:N0})", Enumerable.Range(0, rows));

    private static string Labels(Dataset data)
    {
        const int Shown = 8;
        if (data.Task.Kind == TaskKind.Regression)
        {
            return string.Create(System.Globalization.CultureInfo.InvariantCulture, $", scores from {data.Examples.Min(e => e.Score):0.###} to {data.Examples.Max(e => e.Score):0.###}");
        }

        int[] counts = data.LabelCounts();
        string list = string.Join(", ", data.Task.Labels.Take(Shown).Select((label, i) => $"{label}: {counts[i]:N0}"));
        return $" ({list}{(counts.Length > Shown ? $" and {counts.Length - Shown} more labels" : string.Empty)})";
    }
}
