using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Tests.Configuration;

public sealed class SecretsSpec
{
    [Theory]
    [InlineData("[\"https://user:pass@example.org/a.xz\"]", "[\"https://***@example.org/a.xz\"]")]
    [InlineData("https://example.org/a.xz?token=abc", "https://example.org/a.xz?***")]
    [InlineData("[http://u:p@h/a?b=c, https://h/d?e=f]", "[http://***@h/a?***, https://h/d?***]")]
    [InlineData("/data/a@b?.xz", "/data/a@b?.xz")]
    [InlineData("https://example.org/a.xz", "https://example.org/a.xz")]
    public void What_may_be_secret_in_a_url_is_masked_and_nothing_else(string text, string masked) => Assert.Equal(masked, Secrets.Mask(text));
}
