using Limbeck.Training.Compression;

namespace Limbeck.Training.Tests.Compression;

public sealed class LayerMapTests
{
    [Theory]
    [InlineData(4, 12, "0:0,1:3,2:6,3:9,4:12")]
    [InlineData(6, 12, "0:0,1:2,2:4,3:6,4:8,5:10,6:12")]
    [InlineData(3, 12, "0:0,1:4,2:8,3:12")]
    [InlineData(3, 6, "0:0,1:2,2:4,3:6")]
    [InlineData(2, 6, "0:0,1:3,2:6")]
    public void The_uniform_map_is_the_papers(int student, int teacher, string expected) => Assert.Equal(expected, LayerMap.Uniform(student, teacher).ToString());

    [Fact]
    public void A_teacher_whose_layers_do_not_divide_needs_a_written_map()
    {
        Assert.Contains("--layer-map", Assert.Throws<ArgumentException>(() => LayerMap.Uniform(4, 6)).Message, StringComparison.Ordinal);
        Assert.Equal("0:0,1:1,2:3,3:4,4:6", LayerMap.Parse("0:0, 1:1, 2:3, 3:4, 4:6", 4, 6).ToString());
    }

    [Fact]
    public void Every_fault_of_a_written_map_is_listed_at_once()
    {
        string message = Assert.Throws<ArgumentException>(() => LayerMap.Parse("0:0,1:9,5:1,x,1:2,1:3,2:0", 3, 6)).Message;
        foreach (string fault in new[] { "'1:9'", "'5:1'", "'x'", "'1:3'", "'2:0'" })
        {
            Assert.Contains(fault, message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("tinybert4", "4/312/12/1200")]
    [InlineData("TinyBERT6", "6/768/12/3072")]
    [InlineData("tinybert3-312", "3/312/12/1200")]
    [InlineData("half-384", "3/384/12/1536")]
    [InlineData("tinybert2-192", "2/192/12/768")]
    [InlineData("1/24/3/48", "1/24/3/48")]
    public void Students_have_names_or_numbers(string text, string expected) => Assert.Equal(expected, StudentShape.Parse(text).ToString());

    [Theory]
    [InlineData("tinybert5")]
    [InlineData("3/312/12")]
    [InlineData("3/312/11/1200")]
    [InlineData("3/-312/12/1200")]
    public void Other_students_are_refused(string text) => Assert.Contains(text, Assert.Throws<ArgumentException>(() => StudentShape.Parse(text)).Message, StringComparison.Ordinal);
}
