using System.Globalization;
using System.Text;

namespace Limbeck.Training.Evaluation;

/// <summary>Labels and predictions of many rows as one short text: classes as one character each (0-9, a-z), numbers with commas between.</summary>
public static class CompactValues
{
    private const string Digits = "0123456789abcdefghijklmnopqrstuvwxyz";

    /// <summary>Class numbers as a text: <c>c:0110...</c>.</summary>
    /// <param name="classes">Class numbers, 0 to 35.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is beyond 35.</exception>
    public static string OfClasses(ReadOnlySpan<int> classes)
    {
        StringBuilder text = new("c:");
        foreach (int value in classes)
        {
            text.Append((uint)value < (uint)Digits.Length
                ? Digits[value]
                : throw new ArgumentOutOfRangeException(nameof(classes), $"class {value} has no character of its own; predictions can be kept for up to {Digits.Length} classes."));
        }

        return text.ToString();
    }

    /// <summary>Numbers as a text, to four digits after the point: <c>r:2.5,0.1234</c>.</summary>
    /// <param name="numbers">The numbers.</param>
    public static string OfNumbers(ReadOnlySpan<float> numbers)
    {
        StringBuilder text = new("r:");
        foreach (float value in numbers)
        {
            text.Append(text.Length > 2 ? "," : "").Append(CultureInfo.InvariantCulture, $"{value:0.####}");
        }

        return text.ToString();
    }

    /// <summary>The values of a text.</summary>
    /// <param name="text">Made by one of the other two.</param>
    /// <exception cref="InvalidDataException">It is not such a text.</exception>
    public static double[] Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string values = text.Length > 2 ? text[2..] : "";
        if (text.StartsWith("c:", StringComparison.Ordinal) && values.All(static c => Digits.Contains(c)))
        {
            return [.. values.Select(static c => (double)Digits.IndexOf(c, StringComparison.Ordinal))];
        }

        if (text.StartsWith("r:", StringComparison.Ordinal))
        {
            string[] parts = values.Length == 0 ? [] : values.Split(',');
            double[] numbers = new double[parts.Length];
            for (int i = 0; i < parts.Length; i++)
            {
                if (!double.TryParse(parts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out numbers[i]))
                {
                    throw new InvalidDataException($"value {i + 1} of a list of numbers is '{parts[i]}', not a number.");
                }
            }

            return numbers;
        }

        throw new InvalidDataException($"a list of values begins with '{text[..Math.Min(12, text.Length)]}'; it must be 'c:' and one character a class, or 'r:' and numbers with commas.");
    }
}
