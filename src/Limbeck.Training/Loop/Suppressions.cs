using System.Diagnostics.CodeAnalysis;

[assembly: SuppressMessage("Naming", "CA1716", Scope = "namespace", Target = "~N:Limbeck.Training.Loop",
    Justification = "A keyword of Visual Basic only; the loop is what this room is about.")]
