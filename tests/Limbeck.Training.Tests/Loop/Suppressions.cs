using System.Diagnostics.CodeAnalysis;

[assembly: SuppressMessage("Naming", "CA1716", Scope = "namespace", Target = "~N:Limbeck.Training.Tests.Loop",
    Justification = "As for the namespace that is tested.")]
