using System.Text;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;

namespace Limbeck.Training.Jobs;

/// <summary>Makes a student with its first weights: a known shape or a directory's model, at random, from a checkpoint, from the teacher's principal components, with layers fitted to the teacher's, or as a slice of the teacher.</summary>
internal static class Student
{
    /// <summary>Makes the student.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <param name="teacher">The teacher, whose labels and rates it takes.</param>
    /// <param name="tokenizer">The teacher's tokenizer.</param>
    /// <param name="texts">What the student will read, asked for only where it is needed: wordpieces that the texts do not have go from a trimmed vocabulary, principal components are weighted by them, and fitted layers are fitted to some of them.</param>
    /// <param name="context">What the job runs with.</param>
    /// <returns>The student, its tokenizer, its layer map, and the components it started from, if any.</returns>
    /// <exception cref="UsageException">There is no such student.</exception>
    public static (BertModel Model, BertTokenizer Tokenizer, LayerMap Map, PrincipalComponents? Components) Make(
        CompressSettings settings, BertModel teacher, BertTokenizer tokenizer, StudentTexts texts, JobContext context)
    {
        try
        {
            return Directory.Exists(settings.StudentModel) ? FromDirectory(settings, teacher, tokenizer, texts, context) : FromShape(settings, teacher, tokenizer, texts, context);
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message, e);
        }
    }

    private static (BertModel Model, BertTokenizer Tokenizer, LayerMap Map, PrincipalComponents? Components) FromDirectory(CompressSettings settings, BertModel teacher, BertTokenizer teacherTokenizer, StudentTexts texts, JobContext context)
    {
        string weights = ModelFolder.Weights(settings.StudentModel!);
        if (settings.TrimVocabulary)
        {
            throw new UsageException("--trim-vocabulary makes a new vocabulary, but --student-model is a directory with one of its own");
        }

        BertConfig config = Rates(settings, BertConfig.Read(weights)) with { Labels = teacher.Config.Labels, ProblemType = teacher.Config.ProblemType };
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        LayerMap map = Map(settings, config, teacher.Config);
        if (settings.StudentInit is ("pca" or "fitted" or "teacher") && tokenizer.Fingerprint != teacherTokenizer.Fingerprint)
        {
            throw new UsageException($"--student-init {settings.StudentInit} takes the teacher's words, but {settings.StudentModel} has a vocabulary of its own: give its sizes ({config.LayerCount}/{config.HiddenSize}/{config.HeadCount}/{config.IntermediateSize}) as --student-model instead, or leave --student-init out");
        }

        if (settings.StudentInit is null || Same(settings.StudentInit, settings.StudentModel!))
        {
            return (Open(settings, weights, config, context.Messages), tokenizer, map, null);
        }

        (BertModel started, PrincipalComponents? components) = Start(settings, new BertModel(config, HeadKind.Classifier), teacher, map, null, texts, context);
        return (started, tokenizer, map, components);
    }

    private static (BertModel Model, BertTokenizer Tokenizer, LayerMap Map, PrincipalComponents? Components) FromShape(
        CompressSettings settings, BertModel teacher, BertTokenizer tokenizer, StudentTexts texts, JobContext context)
    {
        BertConfig config = Rates(settings, StudentShape.Parse(settings.StudentModel!).Configure(teacher.Config));
        LayerMap map = Map(settings, config, teacher.Config);
        int[]? kept = null;
        if (settings.TrimVocabulary)
        {
            BertTokenizer trimmed = tokenizer.Trim([.. Kept(tokenizer, texts.Counts())], out kept);
            context.Messages.WriteLine($"vocabulary: {trimmed.VocabularySize:N0} of {tokenizer.VocabularySize:N0} wordpieces kept");
            tokenizer = trimmed;
            config = config with { VocabularySize = trimmed.VocabularySize, PadTokenId = Math.Max(0, trimmed.PadId) };
        }

        (BertModel started, PrincipalComponents? components) = Start(settings, new BertModel(config, HeadKind.Classifier), teacher, map, kept, texts, context);
        return (started, tokenizer, map, components);
    }

    private static (BertModel Model, PrincipalComponents? Components) Start(CompressSettings settings, BertModel student, BertModel teacher, LayerMap map, int[]? kept, StudentTexts texts, JobContext context)
    {
        student.Initialize(new SeededRandom(settings.Seed));
        if (texts.OnlyShape && settings.StudentInit is ("pca" or "fitted"))
        {
            PrincipalComponents.Check(teacher.Config, student.Config);
            if (settings.StudentInit == "fitted")
            {
                FittedLayers.Check(teacher.Config, student.Config, map);
            }

            return (student, null);
        }

        switch (settings.StudentInit)
        {
            case null or "random":
                return (student, null);
            case "pca":
                return (student, Components(student, teacher, kept, PrincipalComponents.Of(teacher, student.Config.HiddenSize, texts.Counts(), team: context.Team), context));
            case "fitted":
                return (student, Fit(student, teacher, map, kept, texts, context));
            case "teacher":
                TeacherSlices.Copy(teacher, student, map, settings.ScaleQuery, kept);
                context.Messages.WriteLine("student starts as a slice of the teacher");
                return (student, null);
            default:
                student.Dispose();
                return (Open(settings, ModelFolder.Weights(settings.StudentInit), student.Config, context.Messages), null);
        }
    }

    private static PrincipalComponents Components(BertModel student, BertModel teacher, int[]? kept, PrincipalComponents components, JobContext context)
    {
        components.StartEmbeddings(teacher, student, kept, context.Team);
        context.Messages.WriteLine($"student starts from the teacher's principal components ({student.Config.HiddenSize} of {teacher.Config.HiddenSize} keep {100 * components.Kept:F1} %)");
        return components;
    }

    private static PrincipalComponents Fit(BertModel student, BertModel teacher, LayerMap map, int[]? kept, StudentTexts texts, JobContext context)
    {
        PackedBatch sample = texts.Sample(FittedLayers.SampleTokens);
        using Tape tape = new(recording: false, context.Team);
        IReadOnlyList<Tensor> hidden = teacher.Encoder.Forward(tape, sample, withHidden: true).Hidden;
        IReadOnlyList<Tensor> states = [.. map.Pairs.Values.Where(layer => layer > 0).Select(layer => hidden[layer])];
        PrincipalComponents components = Components(student, teacher, kept, PrincipalComponents.Of(teacher, student.Config.HiddenSize, texts.Counts(), states, context.Team), context);
        FittedLayers.Start(teacher, student, map, components, hidden, sample, kept is null ? sample : Renumbered(sample, kept), context.Team, context.Cancellation);
        context.Messages.WriteLine($"its layers are fitted to the teacher's on {sample.Tokens:N0} tokens");
        return components;
    }

    private static PackedBatch Renumbered(PackedBatch batch, int[] kept)
    {
        Dictionary<int, int> own = kept.Select((id, place) => (id, place)).ToDictionary(pair => pair.id, pair => pair.place);
        return new PackedBatch([.. batch.Ids.Select(id => own[id])], batch.TypeIds, batch.Offsets);
    }

    /// <summary>A checkpoint as the student: its encoder must be of the student's sizes; its classifier is kept only when it has the teacher's labels.</summary>
    private static BertModel Open(CompressSettings settings, string weights, BertConfig config, TextWriter messages)
    {
        BertModel model = ModelFolder.HasClassifier(weights) && !BertConfig.Read(weights).Labels.SequenceEqual(config.Labels)
            ? ModelFolder.WithNewHead(weights, config, settings.Seed)
            : BertModel.Load(weights, HeadKind.Classifier, out _, settings.Seed, config);
        messages.WriteLine($"student starts from {weights}");
        return model;
    }

    private static BertConfig Rates(CompressSettings settings, BertConfig config) => config with
    {
        HeadActivation = settings.Head ?? config.HeadActivation,
        HiddenDropout = (float?)settings.Dropout ?? config.HiddenDropout,
        AttentionDropout = (float?)settings.Dropout ?? config.AttentionDropout,
    };

    private static LayerMap Map(CompressSettings settings, BertConfig student, BertConfig teacher) => settings.LayerMap is null
        ? LayerMap.Uniform(student.LayerCount, teacher.LayerCount)
        : LayerMap.Parse(settings.LayerMap, student.LayerCount, teacher.LayerCount);

    private static IEnumerable<int> Kept(BertTokenizer tokenizer, long[] counts)
    {
        string prefix = tokenizer.Options.ContinuationPrefix;
        IEnumerable<int> characters = Enumerable.Range(0, tokenizer.VocabularySize).Where(id =>
        {
            string piece = tokenizer.IdToToken(id);
            StringRuneEnumerator runes = (piece.StartsWith(prefix, StringComparison.Ordinal) && piece.Length > prefix.Length ? piece[prefix.Length..] : piece).EnumerateRunes();
            return runes.MoveNext() && !runes.MoveNext();
        });
        return Enumerable.Range(0, tokenizer.VocabularySize).Where(id => counts[id] > 0).Concat(characters).Distinct();
    }

    private static bool Same(string a, string b) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(a)) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(b));
}
