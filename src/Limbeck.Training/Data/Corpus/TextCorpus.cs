namespace Limbeck.Training.Data.Corpus;

/// <summary>
/// Raw text files as one corpus: UTF-8 (.gz is unpacked), one sentence or one paragraph a line, blank lines and file ends between documents. Read as a stream, so its
/// size does not matter. Knows nothing of tokens.
/// </summary>
public sealed class TextCorpus
{
    /// <summary>A corpus of files, in this order.</summary>
    /// <param name="files">At least one.</param>
    /// <exception cref="DataException">There is none, or some cannot be used; every such file is named.</exception>
    public TextCorpus(IReadOnlyList<string> files)
    {
        ArgumentNullException.ThrowIfNull(files);
        if (files.Count == 0)
        {
            throw new DataException("a corpus needs at least one text file");
        }

        List<string> faults = [];
        foreach (string file in files)
        {
            if (Directory.Exists(file))
            {
                faults.Add($"{file}: is a folder; name the text files in it");
            }
            else if (!File.Exists(file))
            {
                faults.Add($"{file}: there is no such file");
            }
        }

        if (faults.Count > 0)
        {
            throw new DataException(string.Join(Environment.NewLine, faults));
        }

        Files = [.. files];
        FileBytes = files.Sum(file => new FileInfo(file).Length);
    }

    /// <summary>The files.</summary>
    public IReadOnlyList<string> Files { get; }

    /// <summary>Bytes of all files as they lie on the disk.</summary>
    public long FileBytes { get; }

    /// <summary>The files that a setting names.</summary>
    /// <param name="text">A file, a folder (its .txt and .txt.gz files by name), or several of these with commas between them.</param>
    /// <exception cref="DataException">A folder has no such file.</exception>
    public static IReadOnlyList<string> Resolve(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<string> files = [];
        foreach (string name in File.Exists(text) || Directory.Exists(text) ? [text] : text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Directory.Exists(name))
            {
                files.Add(name);
                continue;
            }

            int before = files.Count;
            files.AddRange(Directory.GetFiles(name)
                .Where(file => file.EndsWith(".txt", StringComparison.OrdinalIgnoreCase) || file.EndsWith(".txt.gz", StringComparison.OrdinalIgnoreCase))
                .Order(StringComparer.Ordinal));
            if (files.Count == before)
            {
                throw new DataException($"{name}: the folder has no .txt or .txt.gz file");
            }
        }

        return files;
    }

    /// <summary>Refuses a corpus whose files are not there, before anything long is begun.</summary>
    /// <param name="text">As for <see cref="Resolve"/>.</param>
    /// <exception cref="DataException">A file is not there, or a folder has none.</exception>
    public static void Check(string text) => _ = new TextCorpus(Resolve(text));

    /// <summary>The lines that have text, in order.</summary>
    /// <exception cref="DataException">
    /// While it is read: a file has bytes that are not UTF-8 (every such line up to a limit is named), cannot be read to its end, or has no text.
    /// </exception>
    public IEnumerable<CorpusLine> Lines()
    {
        long before = 0;
        for (int file = 0; file < Files.Count; file++)
        {
            string path = Files[file];
            var faults = new FaultList(path);
            using var reader = new LineReader(path, faults);
            bool startsDocument = true;
            bool hasText = false;
            while (reader.Read() is { } line)
            {
                if (string.IsNullOrWhiteSpace(line))
                {
                    startsDocument = true;
                }
                else if (faults.Count == 0)
                {
                    yield return new CorpusLine(line, file, reader.Line, startsDocument, before + reader.Position);
                    startsDocument = false;
                    hasText = true;
                }
            }

            // After the first bad line the rest of the file is only searched for more of them.
            faults.ThrowIfAny();
            if (!hasText)
            {
                throw new DataException($"{path}: the file has no text; take it out of the corpus, or give one with a sentence or paragraph a line");
            }

            before += new FileInfo(path).Length;
        }
    }
}
