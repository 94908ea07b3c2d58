using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Limbeck.Benchmarks;

/// <summary>Another engine in a process of its own, which measures itself: one JSON request a line in, one JSON answer a line out.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Process process;

    public Peer(string program, string script, IReadOnlyDictionary<string, string> environment)
    {
        ProcessStartInfo start = new(program) { RedirectStandardInput = true, RedirectStandardOutput = true, ArgumentList = { script } };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        process = Process.Start(start) ?? throw new PeerException($"{program} did not start");
    }

    public JsonElement Ask(object request)
    {
        try
        {
            process.StandardInput.WriteLine(JsonSerializer.Serialize(request));
            process.StandardInput.Flush();
        }
        catch (IOException e)
        {
            throw new PeerException("the peer has ended; its error is above", e);
        }

        string line = process.StandardOutput.ReadLine() ?? throw new PeerException("the peer ended without an answer; its error is above");
        JsonElement answer = JsonDocument.Parse(line).RootElement;
        return answer.TryGetProperty("error", out JsonElement error) ? throw new PeerException(error.GetString() ?? "the peer failed without a word") : answer;
    }

    public double Seconds(object request) => Ask(request).GetProperty("seconds").GetDouble();

    public void Dispose()
    {
        try
        {
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // A peer that has ended already is told by Ask.
        }

        if (!process.WaitForExit(2000))
        {
            process.Kill();
        }

        process.Dispose();
    }

    /// <summary>A file of benchmarks/peers, which is looked for above the program.</summary>
    public static string Script(string name)
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            string path = Path.Combine(directory.FullName, "benchmarks", "peers", name);
            if (File.Exists(path))
            {
                return path;
            }
        }

        throw new FileNotFoundException($"benchmarks/peers/{name} is not above {AppContext.BaseDirectory}");
    }
}
