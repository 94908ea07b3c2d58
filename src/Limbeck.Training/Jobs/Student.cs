using System.Text;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;
using Limbeck.Training.Data;

namespace Limbeck.Training.Jobs;

/// <summary>Makes a student with its first weights: a known shape or a directory's model, at random, from a checkpoint, from the teacher's principal components, or as a slice of the teacher.</summary>
internal static class Student
{
    /// <summary>Makes the student.</summary>
    /// <param name="settings">The job's settings.</param>
    /// <param name="teacher">The teacher, whose labels and rates it takes.</param>
    /// <param name="tokenizer">The teacher's tokenizer.</param>
    /// <param name="used">The rows whose wordpieces a trimmed vocabulary keeps and principal components are weighted by, as the teacher's tokenizer sees them.</param>
    /// <param name="messages">Receives what is worth knowing.</param>
    /// <returns>The student, its tokenizer, its layer map, and the components it started from, if any.</returns>
    /// <exception cref="UsageException">There is no such student.</exception>
    public static (BertModel Model, BertTokenizer Tokenizer, LayerMap Map, PrincipalComponents? Components) Make(
        CompressSettings settings, BertModel teacher, BertTokenizer tokenizer, EncodedDataset used, TextWriter messages)
    {
        try
        {
            return Directory.Exists(settings.StudentModel) ? FromDirectory(settings, teacher, used, messages) : FromShape(settings, teacher, tokenizer, used, messages);
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message, e);
        }
    }

    private static (BertModel Model, BertTokenizer Tokenizer, LayerMap Map, PrincipalComponents? Components) FromDirectory(CompressSettings settings, BertModel teacher, EncodedDataset used, TextWriter messages)
    {
        string weights = ModelFolder.Weights(settings.StudentModel!);
        if (settings.TrimVocabulary)
        {
            throw new UsageException("--trim-vocabulary makes a new vocabulary, but --student-model is a directory with one of its own");
        }

        BertConfig config = Rates(settings, BertConfig.Read(weights)) with { Labels = teacher.Config.Labels, ProblemType = teacher.Config.ProblemType };
        BertTokenizer tokenizer = BertTokenizer.FromDirectory(weights);
        LayerMap map = Map(settings, config, teacher.Config);
        if (settings.StudentInit is null || Same(settings.StudentInit, settings.StudentModel!))
        {
            return (Open(settings, weights, config, messages), tokenizer, map, null);
        }

        (BertModel started, PrincipalComponents? components) = Start(settings, new BertModel(config, HeadKind.Classifier), teacher, map, null, used, messages);
        return (started, tokenizer, map, components);
    }

    private static (BertModel Model, BertTokenizer Tokenizer, LayerMap Map, PrincipalComponents? Components) FromShape(
        CompressSettings settings, BertModel teacher, BertTokenizer tokenizer, EncodedDataset used, TextWriter messages)
    {
        BertConfig config = Rates(settings, StudentShape.Parse(settings.StudentModel!).Configure(teacher.Config));
        LayerMap map = Map(settings, config, teacher.Config);
        int[]? kept = null;
        if (settings.TrimVocabulary)
        {
            BertTokenizer trimmed = tokenizer.Trim([.. Kept(tokenizer, used)], out kept);
            messages.WriteLine($"vocabulary: {trimmed.VocabularySize:N0} of {tokenizer.VocabularySize:N0} wordpieces kept");
            tokenizer = trimmed;
            config = config with { VocabularySize = trimmed.VocabularySize, PadTokenId = Math.Max(0, trimmed.PadId) };
        }

        (BertModel started, PrincipalComponents? components) = Start(settings, new BertModel(config, HeadKind.Classifier), teacher, map, kept, used, messages);
        return (started, tokenizer, map, components);
    }

    private static (BertModel Model, PrincipalComponents? Components) Start(CompressSettings settings, BertModel student, BertModel teacher, LayerMap map, int[]? kept, EncodedDataset used, TextWriter messages)
    {
        student.Initialize(new SeededRandom(settings.Seed));
        switch (settings.StudentInit)
        {
            case null or "random":
                return (student, null);
            case "pca":
                PrincipalComponents components = PrincipalComponents.Of(teacher, student.Config.HiddenSize, Counts(teacher, used));
                components.StartEmbeddings(teacher, student, kept);
                messages.WriteLine($"student starts from the teacher's principal components ({student.Config.HiddenSize} of {teacher.Config.HiddenSize} keep {100 * components.Kept:F1} % of its words)");
                return (student, components);
            case "teacher":
                TeacherSlices.Copy(teacher, student, map, settings.ScaleQuery, kept);
                messages.WriteLine("student starts as a slice of the teacher");
                return (student, null);
            default:
                student.Dispose();
                return (Open(settings, ModelFolder.Weights(settings.StudentInit), student.Config, messages), null);
        }
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

    private static long[] Counts(BertModel teacher, EncodedDataset used)
    {
        long[] counts = new long[teacher.Config.VocabularySize];
        foreach (int id in used.Encodings.SelectMany(encoding => encoding.Ids))
        {
            counts[id]++;
        }

        return counts;
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

    private static IEnumerable<int> Kept(BertTokenizer tokenizer, EncodedDataset used)
    {
        string prefix = tokenizer.Options.ContinuationPrefix;
        IEnumerable<int> characters = Enumerable.Range(0, tokenizer.VocabularySize).Where(id =>
        {
            string piece = tokenizer.IdToToken(id);
            StringRuneEnumerator runes = (piece.StartsWith(prefix, StringComparison.Ordinal) && piece.Length > prefix.Length ? piece[prefix.Length..] : piece).EnumerateRunes();
            return runes.MoveNext() && !runes.MoveNext();
        });
        return used.Encodings.SelectMany(encoding => encoding.Ids).Concat(characters).Distinct();
    }

    private static bool Same(string a, string b) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(a)) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(b));
}
