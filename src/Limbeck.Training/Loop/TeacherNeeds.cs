namespace Limbeck.Training.Loop;

/// <summary>Which of a teacher's outputs a stage reads.</summary>
/// <param name="Logits">The classifier's.</param>
/// <param name="Hidden">Layers whose hidden states: 0 for the embedding block, then 1 to L.</param>
/// <param name="Scores">Layers, from 1, whose attention scores.</param>
public sealed record TeacherNeeds(bool Logits, int[] Hidden, int[] Scores);
