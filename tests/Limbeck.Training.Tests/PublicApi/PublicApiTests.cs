using System.Reflection;
using System.Text;
using Limbeck.Models;
using Limbeck.Tensors;
using Limbeck.Training.Loop;

namespace Limbeck.Training.Tests.PublicApi;

/// <summary>What the libraries offer to others, as it was last agreed to. A change here is a change for every user: it should be seen in a review.</summary>
public sealed class PublicApiTests
{
    [Theory]
    [InlineData(typeof(Tape))]
    [InlineData(typeof(BertModel))]
    [InlineData(typeof(TrainingLoop))]
    public void The_public_members_are_those_of_the_snapshot(Type some)
    {
        string name = some.Assembly.GetName().Name!;
        string found = Describe(some.Assembly);
        if (Environment.GetEnvironmentVariable("LIMBECK_WRITE_API") is { Length: > 0 } folder)
        {
            File.WriteAllText(Path.Combine(folder, name + ".txt"), found);
            return;
        }

        using Stream? stream = typeof(PublicApiTests).Assembly.GetManifestResourceStream(name + ".txt");
        Assert.NotNull(stream);
        using StreamReader reader = new(stream);
        string[] expected = reader.ReadToEnd().Split('\n');
        string[] actual = found.Split('\n');
        string[] gone = [.. expected.Except(actual)];
        string[] added = [.. actual.Except(expected)];
        Assert.True(
            gone.Length + added.Length == 0,
            $"the public API of {name} has changed. If that is meant, run this test with LIMBECK_WRITE_API set to tests/Limbeck.Training.Tests/PublicApi.\ngone:\n{string.Join('\n', gone)}\nadded:\n{string.Join('\n', added)}");
    }

    private static string Describe(Assembly assembly)
    {
        StringBuilder text = new();
        foreach (Type type in assembly.GetExportedTypes().OrderBy(Name, StringComparer.Ordinal))
        {
            string kind = type.IsEnum ? "enum" : type.IsInterface ? "interface" : type.IsValueType ? "struct" : type.IsAbstract && type.IsSealed ? "static class" : type.IsAbstract ? "abstract class" : "class";
            text.Append(kind).Append(' ').Append(Name(type)).Append('\n');
            IEnumerable<string> members = type
                .GetMembers(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
                .Where(member => member is not MethodInfo { IsSpecialName: true } and not Type && !member.Name.Contains('<', StringComparison.Ordinal))
                .Select(member => $"    {Name(type)}: {Member(member)}");
            foreach (string member in members.Order(StringComparer.Ordinal))
            {
                text.Append(member).Append('\n');
            }
        }

        return text.ToString();
    }

    private static string Member(MemberInfo member) => member switch
    {
        ConstructorInfo constructor => $"new({Parameters(constructor)})",
        MethodInfo method => $"{(method.IsStatic ? "static " : string.Empty)}{Name(method.ReturnType)} {method.Name}({Parameters(method)})",
        PropertyInfo property => $"{Name(property.PropertyType)} {property.Name}{Parameters(property.GetIndexParameters(), " [", "]")} {{{(property.GetMethod?.IsPublic == true ? " get;" : string.Empty)}{(property.SetMethod?.IsPublic == true ? " set;" : string.Empty)} }}",
        FieldInfo field => $"{Name(field.FieldType)} {field.Name}{(field.IsLiteral ? $" = {field.GetRawConstantValue()}" : string.Empty)}",
        EventInfo raised => $"event {Name(raised.EventHandlerType!)} {raised.Name}",
        _ => member.ToString()!,
    };

    private static string Parameters(MethodBase method) => Parameters(method.GetParameters(), string.Empty, string.Empty);

    private static string Parameters(ParameterInfo[] parameters, string before, string after) => parameters.Length == 0
        ? string.Empty
        : before + string.Join(", ", parameters.Select(parameter => $"{Name(parameter.ParameterType)} {parameter.Name}{(parameter.HasDefaultValue ? "?" : string.Empty)}")) + after;

    private static string Name(Type type)
    {
        if (type.HasElementType)
        {
            return Name(type.GetElementType()!) + (type.IsArray ? "[]" : type.IsPointer ? "*" : "&");
        }

        string name = type.IsGenericParameter ? type.Name : type.FullName is { } full && full.StartsWith("Limbeck", StringComparison.Ordinal) ? full.Split('[')[0] : type.Name;
        return type.IsGenericType ? $"{name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>" : name;
    }
}
