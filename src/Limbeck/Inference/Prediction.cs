namespace Limbeck.Inference;

/// <summary>A classifier's answer for one text.</summary>
/// <param name="Label">The likeliest label; for a regression the label's name, usually LABEL_0.</param>
/// <param name="Score">Its probability; for a regression the predicted value.</param>
/// <param name="Scores">The probability of each label, in the order of the model's labels; for a regression the value alone.</param>
/// <param name="Logits">The raw outputs.</param>
/// <param name="Truncated">Whether the text was longer than the model reads, so that its end was cut off.</param>
public sealed record Prediction(string Label, float Score, IReadOnlyList<float> Scores, IReadOnlyList<float> Logits, bool Truncated);
