using PuppeteerSharp;

namespace Streaming.Hosting.Tests.Live;

/// <summary>The Chromium of this machine, without a window.</summary>
internal static class Browser
{
    private static readonly string[] _names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

    /// <summary>Starts it; skips the calling test where there is none.</summary>
    public static async Task<IBrowser> StartAsync()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .SelectMany(folder => _names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        if (path is null)
            Assert.Skip($"no browser is installed: {string.Join(", ", _names)} (apt-get install chromium)");
        return await Puppeteer.LaunchAsync(new LaunchOptions { ExecutablePath = path, Headless = true, Args = ["--no-sandbox", "--disable-gpu", "--lang=en", "--force-color-profile=srgb"] });
    }
}
