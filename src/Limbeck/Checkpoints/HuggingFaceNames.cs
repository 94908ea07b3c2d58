namespace Limbeck.Checkpoints;

/// <summary>The names that BERT's tensors have in Hugging Face's files, and the older and other ones that mean the same.</summary>
public static class HuggingFaceNames
{
    private const string Parallel = "module.";

    /// <summary>The parts of the encoder, which checkpoints of the bare encoder write without their prefix.</summary>
    private static readonly string[] EncoderParts = ["embeddings.", "encoder.", "pooler."];

    /// <summary>Tensors that a BERT's files hold but that no model of Limbeck is made of: constants, the next-sentence head, and what a distillation left behind.</summary>
    private static readonly string[] Ignored = ["bert.embeddings.position_ids", "bert.embeddings.token_type_ids", "cls.seq_relationship.", "fit_dense.", "fit_denses."];

    /// <summary>The name that <c>transformers</c> would write today.</summary>
    /// <param name="name">A name as it is in a file: perhaps of 2018 (<c>gamma</c>, <c>beta</c>), of a bare encoder, or of a parallel wrapper (<c>module.</c>).</param>
    public static string Canonical(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        while (name.StartsWith(Parallel, StringComparison.Ordinal))
        {
            name = name[Parallel.Length..];
        }
        name = Renamed(Renamed(name, ".LayerNorm.gamma", ".LayerNorm.weight"), ".LayerNorm.beta", ".LayerNorm.bias");
        return EncoderParts.Any(part => name.StartsWith(part, StringComparison.Ordinal)) ? "bert." + name : name;
    }

    /// <summary>Whether a tensor is to be passed over, and not written again.</summary>
    /// <param name="canonicalName">What <see cref="Canonical"/> returned.</param>
    public static bool IsIgnored(string canonicalName)
    {
        ArgumentNullException.ThrowIfNull(canonicalName);
        return Ignored.Any(rule => rule.EndsWith('.') ? canonicalName.StartsWith(rule, StringComparison.Ordinal) : canonicalName == rule);
    }

    private static string Renamed(string name, string old, string now) => name.EndsWith(old, StringComparison.Ordinal) ? name[..^old.Length] + now : name;
}
