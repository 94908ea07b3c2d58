namespace Limbeck.Training.Jobs;

/// <summary>A job's settings.</summary>
public interface ISettings
{
    /// <summary>Checks values against each other.</summary>
    /// <param name="faults">Receives one sentence for each fault.</param>
    /// <param name="complete">Whether what a run needs must be there.</param>
    void Check(List<string> faults, bool complete);
}
