namespace Limbeck.Training.Loop;

/// <summary>A frozen model's outputs for the rows of a stage, computed on the spot or read from a cache.</summary>
public interface ITeacher : IDisposable
{
    /// <summary>The outputs for a batch; they hold until the next call.</summary>
    /// <param name="batch">Which rows.</param>
    TeacherBatch Get(TrainingBatch batch);
}
