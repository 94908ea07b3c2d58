// The whole of an offline classifier: a model's directory and some texts in, labels out.
//   dotnet publish samples/Classify -c Release     gives one trimmed file that needs no .NET on the machine it runs on.
using Limbeck.Inference;

if (args.Length < 2)
{
    Console.Error.WriteLine("usage: Classify MODEL-DIRECTORY TEXT...");
    return 2;
}

using TextClassifier classifier = TextClassifier.Load(args[0]);
IReadOnlyList<Prediction> answers = classifier.Classify([.. args.Skip(1).Select(text => new TextInput(text))]);
for (int i = 0; i < answers.Count; i++)
{
    Console.WriteLine($"{answers[i].Label}\t{answers[i].Score:F3}\t{args[i + 1]}");
}

return 0;
