using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Limbeck.Training.Tests;

/// <summary>A room may use only the rooms below it.</summary>
public sealed class RoomsTests
{
    private static readonly string[][] Layers =
    [
        ["Limbeck.Tensors"],
        ["Limbeck.Tokenization", "Limbeck.Checkpoints", "Limbeck.Models", "Limbeck.Inference"],
        ["Limbeck.Training"],
        ["Limbeck.Cli"],
    ];

    [Fact]
    public void Every_using_points_down()
    {
        string source = Path.Combine(Root(), "src");
        List<string> faults = [];
        foreach (string file in Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)))
        {
            string text = File.ReadAllText(file);
            Match space = Regex.Match(text, @"^namespace ([\w.]+);", RegexOptions.Multiline);
            int own = LayerOf(space.Groups[1].Value);
            foreach (Match use in Regex.Matches(text, @"^using (?:static |\w+ = )?(Limbeck[\w.]*)", RegexOptions.Multiline))
            {
                if (LayerOf(use.Groups[1].Value) > own)
                {
                    faults.Add($"{Path.GetRelativePath(source, file)} uses {use.Groups[1].Value}");
                }
            }
        }

        Assert.True(faults.Count == 0, string.Join(Environment.NewLine, faults));
    }

    [Fact]
    public void The_loop_knows_no_method()
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Root(), "src", "Limbeck.Training", "Loop"), "*.cs"))
        {
            Assert.DoesNotContain("using Limbeck.Training.Compression", File.ReadAllText(file), StringComparison.Ordinal);
        }
    }

    private static int LayerOf(string name) => Array.FindIndex(Layers, layer => layer.Any(room => name == room || name.StartsWith(room + ".", StringComparison.Ordinal)));

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
