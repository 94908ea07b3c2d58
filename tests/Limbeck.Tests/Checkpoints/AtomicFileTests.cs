using Limbeck.Checkpoints;

namespace Limbeck.Tests.Checkpoints;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_is_created_and_replaced_and_nothing_else_is_left()
    {
        AtomicFile.WriteText(_folder["a.txt"], "ä1");
        Assert.Equal("ä1"u8.ToArray(), File.ReadAllBytes(_folder["a.txt"]));
        AtomicFile.Write(_folder["a.txt"], stream => stream.WriteByte((byte)'2'));
        Assert.Equal("2", File.ReadAllText(_folder["a.txt"]));
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void The_old_file_stays_until_the_new_one_is_whole()
    {
        _folder.Add("a.txt", "old");
        AtomicFile.Write(_folder["a.txt"], stream =>
        {
            stream.Write("new"u8);
            stream.Flush();
            Assert.Equal("old", File.ReadAllText(_folder["a.txt"]));
        });
        Assert.Equal("new", File.ReadAllText(_folder["a.txt"]));
    }

    [Fact]
    public void A_failed_write_leaves_the_old_file_and_no_temporary()
    {
        _folder.Add("a.txt", "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(_folder["a.txt"], stream =>
        {
            stream.Write("half"u8);
            throw new InvalidOperationException();
        }));
        Assert.Equal("old", File.ReadAllText(_folder["a.txt"]));
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_missing_directory_is_named()
    {
        var error = Assert.Throws<DirectoryNotFoundException>(() => AtomicFile.WriteText(_folder["none/a.txt"], ""));
        Assert.Contains(_folder["none"], error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_killed_writer_left_is_swept_but_not_what_a_living_one_writes()
    {
        string dead = _folder.Add(".a.txt.0123.tmp", "dead"), young = _folder.Add(".a.txt.4567.tmp", "young"), other = _folder.Add(".b.txt.0123.tmp", "other file's"), alive = _folder.Add(".a.txt.89ab.tmp", "alive");
        foreach (string path in (string[])[dead, other, alive])
        {
            File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddHours(-1));
        }
        using (new FileStream(alive, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        {
            AtomicFile.WriteText(_folder["a.txt"], "new");
        }
        Assert.Equal([alive, young, other, _folder["a.txt"]], Directory.GetFiles(_folder.Path).OrderBy(path => Array.IndexOf([alive, young, other, _folder["a.txt"]], path)));
    }

    [Fact]
    public async Task Writers_at_the_same_time_leave_one_whole_file()
    {
        await Parallel.ForEachAsync(Enumerable.Range(0, 16), async (i, _) =>
        {
            await Task.Yield();
            AtomicFile.WriteText(_folder["a.txt"], new string((char)('a' + i), 10_000));
        });
        Assert.Single(File.ReadAllText(_folder["a.txt"]).Distinct());
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }
}
