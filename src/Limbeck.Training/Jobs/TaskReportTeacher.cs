using Limbeck.Models;
using Limbeck.Tokenization;
using Limbeck.Training.Compression;

namespace Limbeck.Training.Jobs;

/// <summary>The teacher that a report compares a student with.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Model">The model.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Map">Which of its layers each of the student's learned from, or would have.</param>
/// <param name="Answers">Its outputs for the scored rows in the task's order; null when nothing was scored.</param>
internal sealed record TaskReportTeacher(string Folder, BertModel Model, BertTokenizer Tokenizer, LayerMap Map, float[]? Answers);
