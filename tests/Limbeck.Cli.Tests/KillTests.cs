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
    public void A_run_killed_at_random_moments_and_resumed_ends_with_the_same_weights_as_one_that_never_stopped(string verb)
    {
        using TinyModels models = new();
        Assert.Equal(0, TinyModels.Run(models.FineTune("teacher")).Status);
        string[] arguments = verb == "finetune"
            ? [.. models.FineTune("killed"), "--num-train-epochs", "60", "--save-steps", "7", "--per-device-train-batch-size", "8"]
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
                "--output-dir", models["killed"],
            ];
        arguments = [.. arguments.Where((argument, i) => !(argument == "--num-train-epochs" && arguments[i + 1] == "1") && !(i > 0 && arguments[i - 1] == "--num-train-epochs" && argument == "1"))];
        string[] unbroken = [.. arguments.Select(argument => argument == models["killed"] ? models["unbroken"] : argument)];
        Stopwatch whole = Stopwatch.StartNew();
        Assert.True(Finished(unbroken, [], Timeout.Infinite));

        // A run over before its hour has come (the machine became faster since it was timed) is begun again with less time.
        SeededRandom random = new(20);
        int kills = 0;
        int longest = (int)whole.ElapsedMilliseconds;
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
                Directory.Delete(models["killed"], recursive: true);
            }
        }

        Assert.Equal(File.ReadAllBytes(Path.Combine(models["unbroken"], "model.safetensors")), File.ReadAllBytes(Path.Combine(models["killed"], "model.safetensors")));
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
