using System.Diagnostics;
using Limbeck.Tensors;

namespace Limbeck.Cli.Tests;

/// <summary>The tool as a process of its own that is killed at random moments, without a chance to say goodbye.</summary>
public sealed class KillTests
{
    private const int MostKills = 25;

    [Theory]
    [InlineData("finetune")]
    [InlineData("compress")]
    [InlineData("general")]
    [InlineData("all")]
    public void A_run_killed_at_random_moments_and_resumed_ends_with_the_same_weights_as_one_that_never_stopped(string verb)
    {
        using TinyModels models = new();
        Assert.Equal(0, TinyModels.Run(models.FineTune("teacher")).Status);
        string[] arguments = verb == "finetune"
            ? [.. models.FineTune("killed"), "--num-train-epochs", "60", "--save-steps", "7", "--per-device-train-batch-size", "8", "--no-report-timing"]
            : verb == "all"
            ?
            [
                "run", "tinybert4", "--teacher-model", models["teacher"], "--general-teacher-model", models["encoder"], "--mlm-model", models["mlm"], "--student-model", "1/8/2/16",
                "--train-corpus", models["corpus.txt"], "--train-file", models["train.csv"], "--validation-file", models["dev.csv"], "--max-seq-length", "16", "--general-max-seq-length", "16",
                "--general-num-train-epochs", "30", "--general-per-device-train-batch-size", "8", "--general-gradient-accumulation-steps", "2", "--augment-n", "20",
                "--intermediate-num-train-epochs", "8", "--prediction-num-train-epochs", "5", "--cache-dir", models["cache"], "--save-steps", "7", "--output-dir", models["killed"], "--no-report-timing",
            ]
            : verb == "general"
            ?
            [
                "compress", "--stage", "general", "--teacher-model", models["encoder"], "--student-model", "1/8/2/16", "--train-corpus", models["corpus.txt"], "--max-seq-length", "16",
                "--general-num-train-epochs", "60", "--general-per-device-train-batch-size", "8", "--general-gradient-accumulation-steps", "2", "--cache-dir", models["cache"],
                "--save-steps", "7", "--output-dir", models["killed"],
            ]
            :
            [
                "compress", "--teacher-model", models["teacher"], "--student-model", "1/8/2/16", "--train-file", models["train.csv"], "--validation-file", models["dev.csv"],
                "--max-seq-length", "16", "--intermediate-num-train-epochs", "40", "--prediction-num-train-epochs", "20", "--cache-dir", models["cache"], "--save-steps", "7",
                "--output-dir", models["killed"], "--no-report-timing",
            ];
        arguments = [.. arguments.Where((argument, i) => !(argument == "--num-train-epochs" && arguments[i + 1] == "1") && !(i > 0 && arguments[i - 1] == "--num-train-epochs" && argument == "1"))];
        string[] unbroken = [.. arguments.Select(argument => argument == models["killed"] ? models["unbroken"] : argument)];
        Stopwatch whole = Stopwatch.StartNew();
        Assert.True(Finished(unbroken, [], Timeout.Infinite));

        KillAndResume(arguments, (int)whole.ElapsedMilliseconds, () => Directory.Delete(models["killed"], recursive: true));
        Assert.Equal(File.ReadAllBytes(Path.Combine(models["unbroken"], "model.safetensors")), File.ReadAllBytes(Path.Combine(models["killed"], "model.safetensors")));
        if (verb == "all")
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(models["unbroken"], "augment", "train_aug.csv")), File.ReadAllBytes(Path.Combine(models["killed"], "augment", "train_aug.csv")));
        }
    }

    [Fact]
    public void An_augmentation_killed_at_random_moments_and_resumed_ends_with_the_same_file()
    {
        using TinyModels models = new();
        File.WriteAllText(models["rows.csv"], TinyModels.RandomRows(6000, 3));
        string[] arguments = ["augment", "--model", models["mlm"], "--train-file", models["rows.csv"], "--n", "10", "--output-file", models["killed.csv"]];
        string[] unbroken = [.. arguments[..^1], models["unbroken.csv"]];
        Stopwatch whole = Stopwatch.StartNew();
        Assert.True(Finished(unbroken, [], Timeout.Infinite));
        KillAndResume(arguments, (int)whole.ElapsedMilliseconds, () => Array.ForEach(Directory.GetFiles(models.Folder, "killed.csv*"), File.Delete));
        Assert.Equal(File.ReadAllBytes(models["unbroken.csv"]), File.ReadAllBytes(models["killed.csv"]));
        Assert.Empty(Directory.GetFiles(models.Folder, "*.partial"));
    }

    /// <summary>Runs the tool, killing it after random parts of its time and resuming it, until it is done.</summary>
    private static void KillAndResume(string[] arguments, int longest, Action startAnew)
    {
        // A run over before its hour has come (the machine became faster since it was timed) is begun again with less time.
        SeededRandom random = new(20);
        int kills = 0;
        while (true)
        {
            int milliseconds = kills < MostKills ? (longest / 3) + random.NextInt(Math.Max(1, longest / 2)) : Timeout.Infinite;
            if (!Finished(arguments, kills == 0 ? [] : ["--resume"], milliseconds))
            {
                kills++;
            }
            else if (kills > 0)
            {
                break;
            }
            else
            {
                longest = longest * 2 / 3;
                startAnew();
            }
        }
    }

    /// <summary>Runs the tool and kills it after a while; true when it was done before.</summary>
    private static bool Finished(string[] arguments, string[] more, int milliseconds)
    {
        ProcessStartInfo start = new(Environment.ProcessPath is { } host && Path.GetFileNameWithoutExtension(host) == "dotnet" ? host : "dotnet")
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (string argument in (string[])[Path.Combine(AppContext.BaseDirectory, "Limbeck.Cli.dll"), .. arguments, .. more])
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(milliseconds))
        {
            process.Kill();
            process.WaitForExit();
            return false;
        }

        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error.Result + output.Result);
        return true;
    }
}
