using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.Loop;

public class RunHashTests
{
    [Fact]
    public void Texts_and_files_have_the_known_sha_256()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["abc"], "abc");
        const string Known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-2, appendix B.1
        Assert.Equal(Known, RunHash.OfText("abc"));
        Assert.Equal(Known, RunHash.OfFile(folder["abc"]));
    }

    [Fact]
    public void A_changed_file_has_another_hash()
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder["a"], "one");
        string before = RunHash.OfFile(folder["a"]);
        File.WriteAllText(folder["a"], "two");
        File.SetLastWriteTimeUtc(folder["a"], DateTime.UtcNow.AddSeconds(5));
        Assert.NotEqual(before, RunHash.OfFile(folder["a"]));
    }

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Contains("no-such-file", Assert.Throws<FileNotFoundException>(() => RunHash.OfFile("no-such-file")).Message, StringComparison.Ordinal);

    [Fact]
    public void A_key_does_not_depend_on_the_order_of_adding()
    {
        string one = new HashBuilder().Add("task", "MRPC").Add("length", 128).Add("rate", 0.1).Add("cased", true).ToKey();
        string two = new HashBuilder().Add("cased", true).Add("rate", 0.1).Add("length", 128).Add("task", "MRPC").ToKey();
        Assert.Equal(one, two);
        Assert.Equal(64, one.Length);
    }

    [Fact]
    public void Keys_differ_wherever_names_or_values_differ()
    {
        string[] keys =
        [
            new HashBuilder().ToKey(),
            new HashBuilder().Add("a", "bc").ToKey(),
            new HashBuilder().Add("ab", "c").ToKey(),
            new HashBuilder().Add("a", "b").Add("c", "").ToKey(),
            new HashBuilder().Add("a", "").Add("b", "c").ToKey(),
            new HashBuilder().Add("a", 0.1).ToKey(),
            new HashBuilder().Add("a", 0.1f).ToKey(),
        ];
        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Fact]
    public void A_name_counts_once() =>
        Assert.Contains("'a'", Assert.Throws<ArgumentException>(() => new HashBuilder().Add("a", 1).Add("a", 2)).Message, StringComparison.Ordinal);
}
