using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Tests.Terminal;

public sealed class QuantitySpec
{
    [Theory]
    [InlineData(0, "0.0s")]
    [InlineData(4.55, "4.6s")]
    [InlineData(9.96, "10s")]
    [InlineData(59.6, "1m00s")]
    [InlineData(83, "1m23s")]
    [InlineData(7_500, "2h05m")]
    [InlineData(273_600, "3d04h")]
    [InlineData(1e11, "1157407d09h")]
    public void A_time_has_two_units_at_most(double seconds, string expected)
        => Assert.Equal(expected, Quantity.Time(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1_000, "1.00 KB")]
    [InlineData(12_345_678, "12.3 MB")]
    [InlineData(999_999, "1.00 MB")]
    public void Bytes_have_three_digits(double bytes, string expected) => Assert.Equal(expected, Quantity.Bytes(bytes));

    [Fact]
    public void A_learning_rate_is_always_as_wide()
    {
        Assert.Equal("1.80e-03", Quantity.Rate(0.0018));
        Assert.Equal("0.00e+00", Quantity.Rate(0));
    }
}
