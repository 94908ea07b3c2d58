using System.IO.Compression;
using System.Text;
using Limbeck.Training.Data;
using Limbeck.Training.Data.Corpus;

namespace Limbeck.Training.Tests.Data.Corpus;

public sealed class TextCorpusTests
{
    [Fact]
    public void Blank_lines_and_file_ends_part_documents()
    {
        using TemporaryFolder folder = new();
        string first = folder.Write("first.txt", "\uFEFFone\r\ntwo\r\n\r\n \t\r\n\r\nthree");
        string second = folder.Write("second.txt", "\n\nfour\nfive\n\n");
        Assert.Equal(
            [("one", 0, 1, true), ("two", 0, 2, false), ("three", 0, 6, true), ("four", 1, 3, true), ("five", 1, 4, false)],
            new TextCorpus([first, second]).Lines().Select(line => (line.Text.Trim(), line.File, line.Line, line.StartsDocument)));
    }

    [Fact]
    public void Packed_files_are_unpacked()
    {
        using TemporaryFolder folder = new();
        string text = string.Join('\n', Enumerable.Range(0, 5000).Select(i => i % 9 == 8 ? "" : $"line {i}"));
        string plain = folder.Write("plain.txt", text);
        string packed = Path.Combine(folder.Path, "packed.txt.gz");
        using (GZipStream gzip = new(File.Create(packed), CompressionLevel.Fastest))
        {
            gzip.Write(Encoding.UTF8.GetBytes(text));
        }

        Assert.Equal(new TextCorpus([plain]).Lines().Select(Content), new TextCorpus([packed]).Lines().Select(Content));
        Assert.Equal(new FileInfo(packed).Length, new TextCorpus([packed]).Lines().Last().Position);

        static (string, int, bool) Content(CorpusLine line) => (line.Text, line.Line, line.StartsDocument);
    }

    [Fact]
    public void Bytes_that_are_not_utf_8_are_reported_with_file_and_every_line()
    {
        using TemporaryFolder folder = new();
        string good = folder.Write("good.txt", "fine\n");
        string bad = folder.Write("bad.txt", [.. "fine\nnot "u8, 0xFF, .. " fine\nfine\n"u8, 0xC3, .. "\n"u8]);
        DataException refused = Assert.Throws<DataException>(() => new TextCorpus([good, bad]).Lines().Count());
        Assert.Contains("bad.txt", refused.Message, StringComparison.Ordinal);
        Assert.Contains("line 2: byte 0xFF at position 5", refused.Message, StringComparison.Ordinal);
        Assert.Contains("line 4: byte 0xC3", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_without_text_missing_files_and_torn_archives_are_refused_by_name()
    {
        using TemporaryFolder folder = new();
        string good = folder.Write("good.txt", "fine\n");
        string empty = folder.Write("empty.txt", "\n \n\n");
        Assert.Contains("empty.txt: the file has no text", Assert.Throws<DataException>(() => new TextCorpus([good, empty]).Lines().Count()).Message, StringComparison.Ordinal);
        string message = Assert.Throws<DataException>(() => new TextCorpus([Path.Combine(folder.Path, "none.txt"), good, folder.Path])).Message;
        Assert.Contains("none.txt: there is no such file", message, StringComparison.Ordinal);
        Assert.Contains("is a folder", message, StringComparison.Ordinal);
        Assert.Throws<DataException>(() => new TextCorpus([]));
        Assert.Equal([empty, good], TextCorpus.Resolve($"{empty}, {good}"));
        Assert.Equal([empty, good], TextCorpus.Resolve(folder.Path));
        string torn = folder.Write("torn.gz", "this is no archive");
        Assert.Contains("torn.gz: cannot be read", Assert.Throws<DataException>(() => new TextCorpus([torn]).Lines().Count()).Message, StringComparison.Ordinal);
    }
}
