namespace Limbeck.Training.Loop;

/// <summary>What of the teacher's outputs is stored for each example.</summary>
/// <param name="Classes">C, logits an example; float32.</param>
/// <param name="HiddenLayers">How many hidden states, each [len, H]; half precision.</param>
/// <param name="HiddenSize">H.</param>
/// <param name="AttentionLayers">How many layers' attention scores, each [A, len, len]; half precision.</param>
/// <param name="Heads">A.</param>
public sealed record TeacherCacheShape(int Classes, int HiddenLayers = 0, int HiddenSize = 0, int AttentionLayers = 0, int Heads = 0)
{
    /// <summary>Records begin at multiples of this.</summary>
    internal const int Alignment = 16;

    /// <summary>Bytes of a record: logits, hidden states, attention scores, and zeros up to a multiple of 16.</summary>
    /// <param name="length">len, tokens of the example.</param>
    public long RecordBytes(int length)
    {
        long halves = ((long)HiddenLayers * HiddenSize * length) + ((long)AttentionLayers * Heads * length * length);
        long bytes = ((long)Classes * sizeof(float)) + (halves * 2);
        return (bytes + Alignment - 1) & -Alignment;
    }

    internal void Validate()
    {
        if (Classes < 0 || HiddenLayers < 0 || HiddenSize < 0 || AttentionLayers < 0 || Heads < 0)
        {
            throw new ArgumentException($"the teacher's outputs have a negative size: {this}.");
        }
    }
}
