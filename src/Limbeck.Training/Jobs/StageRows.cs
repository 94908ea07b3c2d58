using Limbeck.Training.Data;

namespace Limbeck.Training.Jobs;

/// <summary>The rows of a stage of distillation.</summary>
/// <param name="Teacher">As the teacher's tokenizer sees them.</param>
/// <param name="Student">As the student's does.</param>
internal sealed record StageRows(EncodedDataset Teacher, EncodedDataset Student);
