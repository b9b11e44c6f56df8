using System.Collections.Concurrent;
using PuppeteerSharp;
using Streaming.Hosting.Tests.Control;

namespace Streaming.Hosting.Tests.Live;

/// <summary>The page of a real run in a real Chromium.</summary>
public sealed class PageSpec(RealRun run) : IClassFixture<RealRun>
{
    [Fact]
    public async Task The_page_shows_the_run_steers_it_and_asks_nobody_but_the_daemon()
    {
        await using var browser = await Browser.StartAsync();
        await using var page = await browser.NewPageAsync();
        var (requests, complaints) = (new ConcurrentBag<string>(), new ConcurrentBag<string>());
        page.Request += (_, sent) => requests.Add(sent.Request.Url);
        page.Console += (_, said) =>
        {
            if (said.Message.Type is ConsoleType.Error or ConsoleType.Warning)
                complaints.Add(said.Message.Text);
        };
        page.PageError += (_, failure) => complaints.Add(failure.Message);
        await page.SetViewportAsync(new ViewPortOptions { Width = 1400, Height = 1000 });
        await page.GoToAsync(run.Client.BaseAddress!.ToString());
        await SeeAsync(page, "document.querySelector('#state').textContent === 'training'");
        await SeeAsync(page, "Charts.state.columns && Charts.state.columns.step.length > 5");
        await SeeAsync(page, "document.querySelectorAll('.stage').length > 4 && document.querySelector('.stage.slowest h3').textContent === 'Trainer'");
        await SeeAsync(page, "document.querySelector('#verdict').classList.contains('good')");

        // The curves grow by themselves.
        var before = await page.EvaluateExpressionAsync<int>("Charts.state.columns.step.at(-1)");
        await SeeAsync(page, $"Charts.state.columns.step.at(-1) > {before}");

        // Keys: zoom, smoothing, logarithm, dark.
        await page.Keyboard.PressAsync("+");
        await SeeAsync(page, "Charts.state.range !== null");
        await page.Keyboard.PressAsync("0");
        await SeeAsync(page, "Charts.state.range === null");
        await page.Keyboard.PressAsync("]");
        await SeeAsync(page, "document.querySelector('#smoothing-value').textContent === '0.65'");
        await page.Keyboard.PressAsync("l");
        await SeeAsync(page, "document.querySelector('#log-scale').getAttribute('aria-pressed') === 'true'");
        await page.Keyboard.PressAsync("d");
        await SeeAsync(page, "document.documentElement.dataset.theme === 'dark'");

        // A drag over the curve zooms, a double click shows all again.
        var box = await (await page.QuerySelectorAsync("#loss .u-over")).BoundingBoxAsync();
        await page.Mouse.MoveAsync(box.X + box.Width * 0.3m, box.Y + 50);
        await page.Mouse.DownAsync();
        await page.Mouse.MoveAsync(box.X + box.Width * 0.6m, box.Y + 60);
        await page.Mouse.UpAsync();
        await SeeAsync(page, "Charts.state.range !== null");
        await page.Keyboard.PressAsync("0");

        // Buttons: a pause, about which the key asks, and its end, a sample, the learning rate.
        await page.Keyboard.PressAsync("p");
        await SeeAsync(page, "document.querySelector('#dialog-title').textContent === 'Pause the run?'");
        await page.Keyboard.PressAsync("Escape");
        await SeeAsync(page, "!document.querySelector('#dialog').open && document.querySelector('#state').textContent === 'training'");
        await page.Keyboard.PressAsync("p");
        await page.Keyboard.PressAsync("Enter");
        await SeeAsync(page, "document.querySelector('#state').textContent === 'paused'");
        await page.ClickAsync("#do-pause");
        await SeeAsync(page, "document.querySelector('#state').textContent === 'training'");
        await page.Keyboard.PressAsync("s");
        await page.EvaluateExpressionAsync("document.querySelector('[name=tokens]').value = '3'");
        await page.ClickAsync("#dialog-ok");
        await SeeAsync(page, "document.querySelectorAll('.sample').length > 0");
        await page.Keyboard.PressAsync("r");
        await page.EvaluateExpressionAsync("document.querySelector('[name=rate]').value = '99'");
        await page.ClickAsync("#dialog-ok");
        await SeeAsync(page, "document.querySelector('#toast').textContent.includes('at most 10')");
        await page.Keyboard.PressAsync("e");
        await SeeAsync(page, "[...document.querySelectorAll('#events .kind')].some(e => e.textContent === 'evaluation')");
        await page.ClickAsync("#config summary");
        await SeeAsync(page, "document.querySelector('#config-text').textContent.includes('streaming.training.max-steps = 1000000')");

        // The browser's memory is not needed: a new page has the whole history.
        await page.ReloadAsync();
        await SeeAsync(page, "Charts.state.columns && Charts.state.columns.step[0] === 1 && document.querySelectorAll('.sample').length > 0");

        // A phone: nothing is wider than the screen.
        await page.SetViewportAsync(new ViewPortOptions { Width = 390, Height = 844, DeviceScaleFactor = 2, IsMobile = true, HasTouch = true });
        await SeeAsync(page, "document.documentElement.scrollWidth <= 390");

        Assert.All(requests, url => Assert.StartsWith(run.Client.BaseAddress!.ToString(), url, StringComparison.Ordinal));
        Assert.DoesNotContain(complaints, text => !text.Contains("422", StringComparison.Ordinal)); // the rate that was refused on purpose
    }

    private static async Task SeeAsync(IPage page, string condition)
    {
        try
        {
            await page.WaitForExpressionAsync(condition, new WaitForFunctionOptions { Timeout = 30_000, PollingInterval = 100 });
        }
        catch (WaitTaskTimeoutException)
        {
            Assert.Fail($"the page never came to: {condition}\n{await page.EvaluateExpressionAsync<string>("document.body.innerText.slice(0, 800)")}");
        }
    }
}
