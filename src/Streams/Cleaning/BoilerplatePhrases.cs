namespace Streaming.Streams.Cleaning;

/// <summary>
/// Phrases of web pages that are not their text, by what they are. Lower case, half-width, one blank between words: the form
/// that <see cref="BoilerplateRule"/> folds lines into. A line goes when such phrases make up much of it.
/// </summary>
internal static class BoilerplatePhrases
{
    public static string[] Of(CleaningReason reason) => reason switch
    {
        CleaningReason.ReadMore => ReadMore,
        CleaningReason.Navigation => Navigation,
        CleaningReason.Share => Share,
        CleaningReason.Copyright => Copyright,
        CleaningReason.Notice => Notice,
        CleaningReason.DateOrCounter => DateOrCounter,
        _ => [],
    };

    private static readonly string[] ReadMore =
    [
        "続きを読む", "続きをよむ", "続きを見る", "続きをみる", "続きを表示", "続きはこちら", "続きはコチラ", "つづきを読む", "この続きを読む", "この続きをみる",
        "もっと見る", "もっとみる", "もっと読む", "もっと表示", "もっと詳しく", "さらに表示", "さらに見る", "さらに読み込む", "さらに詳しく",
        "詳しくはこちら", "詳しくはコチラ", "詳しく見る", "詳しくみる", "詳細はこちら", "詳細はコチラ", "詳細を見る", "詳細をみる", "詳細を表示", "詳細へ",
        "全文を読む", "全文を見る", "全文表示", "記事を読む", "記事全文を読む", "この記事を読む", "記事の続きを読む", "すべて見る", "全て見る", "すべて表示", "全て表示",
        "すべてを表示", "一覧を見る", "一覧をみる", "一覧はこちら", "クリックで拡大", "クリックすると拡大", "画像をクリック", "はこちら", "はこちらから", "をクリック", "をタップ",
        "read more", "readmore", "read the full", "read full", "continue reading", "keep reading", "view more", "view all", "see more", "see all",
        "load more", "show more", "show all", "learn more", "more info", "more details", "find out more", "click here", "more",
    ];

    private static readonly string[] Navigation =
    [
        "トップページ", "トップ", "トップへ", "トップに戻る", "トップへ戻る", "ホーム", "ホームへ", "ホームに戻る", "ページトップ", "ページトップへ", "ページの先頭へ", "ページの先頭",
        "このページの先頭へ", "このページの先頭", "ページ上部へ", "先頭へ", "先頭へ戻る", "前の記事", "次の記事", "前の記事へ", "次の記事へ", "前のページ", "次のページ", "前のページへ", "次のページへ", "前へ", "次へ", "前回の記事", "次回の記事",
        "最初へ", "最後へ", "最初のページ", "最後のページ", "一覧へ", "一覧へ戻る", "一覧に戻る", "記事一覧", "前に戻る", "前へ戻る", "戻る", "進む", "ログイン", "ログインする", "ログインして", "ログアウト",
        "新規登録", "会員登録", "無料会員登録", "新規会員登録", "会員登録する", "会員ログイン", "パスワードを忘れた方", "パスワードをお忘れの方", "マイページ", "カート", "カートを見る", "カートに入れる", "カートの中身", "買い物かご", "買い物かごに入れる", "お気に入り",
        "お気に入りに追加", "ほしい物リストに追加", "サイトマップ", "お問い合わせ", "お問合せ", "お問合わせ", "問い合わせ", "お問い合わせフォーム", "お問い合わせはこちら", "資料請求", "会社概要", "会社案内", "会社情報", "企業情報", "採用情報", "求人情報", "事業案内", "店舗案内", "店舗一覧", "店舗情報", "アクセス", "アクセスマップ",
        "交通アクセス", "よくある質問", "よくあるご質問", "ご利用ガイド", "ご利用案内", "ご利用規約", "利用規約", "プライバシーポリシー", "プライバシー", "個人情報保護方針", "個人情報の取り扱い", "個人情報の取扱い", "個人情報の取扱について", "特定商取引法に基づく表記", "特定商取引法に基づく表示",
        "特定商取引に関する表示", "特定商取引法", "サイトポリシー", "サイトのご利用について", "免責事項", "運営会社", "運営者情報", "ヘルプ", "メニュー", "メニューを開く", "メニューを閉じる", "サイドバー", "検索", "検索する", "サイト内検索", "ブログ内検索", "詳細検索", "絞り込み", "並び替え", "並べ替え", "閉じる", "開く", "キャンセル",
        "メインコンテンツへ", "本文へ", "本文へ移動", "本文へスキップ", "コンテンツへスキップ", "コンテンツへ", "ナビゲーション", "ナビゲーションへ", "スキップ", "カテゴリー", "カテゴリ", "カテゴリー一覧", "カテゴリ一覧", "アーカイブ", "月別アーカイブ", "過去の記事", "バックナンバー",
        "タグ", "タグ一覧", "タグクラウド", "最近の記事", "最新記事", "最新の記事", "最近の投稿", "最新の投稿", "最近のコメント", "最新コメント", "最近のトラックバック", "最新トラックバック", "人気記事", "人気の記事", "人気記事ランキング", "アクセスランキング", "人気ランキング", "関連記事", "関連する記事", "関連リンク", "関連ページ", "おすすめ記事",
        "おすすめ", "あわせて読みたい", "こちらもおすすめ", "ランキング", "ランキング一覧", "新着情報", "新着記事", "新着", "お知らせ", "お知らせ一覧", "ニュース", "ニュース一覧", "プロフィール", "自己紹介", "このサイトについて", "当サイトについて", "このブログについて", "リンク集", "リンク",
        "相互リンク", "スポンサーリンク", "スポンサードリンク", "スポンサー", "広告", "このページを印刷", "印刷する", "文字サイズ", "文字サイズの変更", "標準", "拡大", "縮小", "日本語", "ブログトップ", "ブログ", "記事検索", "カレンダー", "ブックマーク", "ページ", "目次", "スマートフォン版", "スマホ版", "pc版", "携帯版", "モバイル版", "画像一覧", "写真一覧", "サービス", "サービス案内", "製品情報", "商品一覧", "商品情報", "商品検索", "読者になる", "読者登録", "アメンバーになる", "メルマガ登録", "メールマガジン",
        "home", "top", "top page", "page top", "to top", "back to top", "menu", "main menu", "login", "log in", "sign in", "signin", "sign up", "signup", "logout", "log out", "register", "contact", "contact us", "about", "about us", "company",
        "sitemap", "site map", "privacy", "privacy policy", "terms", "terms of use", "terms of service", "next", "previous", "prev", "next page", "previous page", "next post", "previous post", "back", "skip to content", "skip to main content", "skip navigation", "search", "category", "categories",
        "archives", "archive", "tags", "tag", "newer posts", "older posts", "newer", "older", "rss", "feed", "faq", "help", "news", "blog", "shop", "cart", "mypage", "my page", "profile", "links", "link", "sponsored link", "sponsored links", "recent posts", "recent entries", "recent comments", "related posts", "english", "japanese",
    ];

    private static readonly string[] Share =
    [
        "ツイート", "ツイートする", "ツイッター", "シェア", "シェアする", "フェイスブック", "いいね", "いいね!", "いいね!する", "いいねする", "はてなブックマーク", "はてブ", "はてな", "フォロー", "フォローする", "フォローしてね", "フォローお願いします", "友達に教える",
        "lineで送る", "lineに送る", "lineでシェア", "メールで送る", "メールで送信", "このエントリーをはてなブックマークに追加", "はてなブックマークに追加", "に追加", "に登録", "共有", "共有する", "で共有", "でシェア", "でフォロー", "で送る", "クリップ", "クリップする", "ポケット", "ピンタレスト",
        "拍手", "web拍手", "拍手する", "人気ブログランキング", "人気ブログランキングへ", "にほんブログ村", "ブログ村", "ブログランキング", "ブログランキング参加中", "応援クリック", "ポチッと", "クリックお願いします",
        "twitter", "x", "facebook", "line", "instagram", "youtube", "pocket", "pinterest", "linkedin", "tumblr", "tweet", "share", "share on", "share this", "follow", "follow me", "follow us", "follow on", "hatena", "mixi", "mixiチェック", "google+", "google", "feedly", "like", "likes", "evernote", "threads", "bluesky", "tiktok", "telegram", "reddit", "whatsapp", "copy link", "リンクをコピー", "urlをコピー",
    ];

    private static readonly string[] Copyright =
    [
        "copyright", "copyrights", "copyright(c)", "all rights reserved", "all right reserved", "all rights reserved.", "rights reserved", "allrightsreserved", "無断転載", "無断転載禁止", "無断転載を禁じます", "無断転載を禁止します", "無断転載・複製を禁じます", "無断転載を禁ず", "無断複製", "無断複写",
        "無断引用", "無断使用", "転載を禁じます", "複製を禁じます", "転載禁止", "の著作権は当サイトに帰属", "の著作権は当ブログに帰属", "の著作権は各権利者に帰属", "の著作権は当社に帰属", "powered by", "designed by", "produced by", "hosted by", "theme by", "template by",
    ];

    private static readonly string[] Notice =
    [
        "cookieを使用", "cookieを利用", "cookie(クッキー)を使用", "クッキーを使用", "クッキーを利用", "クッキー(cookie)を使用", "cookieの使用", "cookieの利用", "クッキーの使用", "クッキーの利用", "に同意したものとみなします", "に同意したことになります", "同意して閉じる", "すべて受け入れる", "すべてのcookieを受け入れる", "cookieポリシー", "cookie policy", "cookie settings", "accept all", "accept all cookies", "accept cookies", "we use cookies", "this site uses cookies", "this website uses cookies",
        "javascriptを有効", "javascriptが無効", "javascriptを使用", "javascriptをオン", "javascriptの設定", "javascriptがオフ", "javascriptを利用", "enable javascript", "javascript is disabled", "お使いのブラウザ", "フレーム対応のブラウザ", "フレームを使用しています", "フレームに対応していません", "flash playerをダウンロード", "adobe flash player", "flash playerが必要", "adobe reader", "acrobat reader",
        "このページをご覧いただくには", "recaptcha", "上の広告は", "以上更新のないブログに表示", "新しい記事を書くことで", "広告が消せます", "アフィリエイト広告を利用", "amazonアソシエイト", "プロモーションを含みます", "推奨ブラウザ", "ページが見つかりません", "お探しのページ", "404 not found", "not found",
    ];

    private static readonly string[] DateOrCounter =
    [
        "コメント", "コメントを書く", "コメントを書き込む", "コメントする", "コメントを投稿", "コメントを投稿する", "コメントを残す", "コメントを見る", "コメントをどうぞ", "コメントはまだありません", "コメントはありません", "コメントなし", "コメントは受け付けていません", "コメント欄", "この記事へのコメント", "この記事へのコメントはありません", "件のコメント", "トラックバック", "トラックバックurl",
        "この記事へのトラックバック", "この記事へのトラックバック一覧です", "この記事へのトラックバック一覧", "トラックバック一覧", "固定リンク", "パーマリンク", "コメント:", "名前", "お名前", "メールアドレス", "メールアドレスが公開されることはありません", "が付いている欄は必須項目です", "ウェブサイト", "必須", "管理者にだけ表示を許可する", "管理者の承認後に表示されます", "返信", "返信する", "返答", "引用", "通報", "通報する", "違反報告", "違反報告する", "管理人", "編集", "削除",
        "投稿日", "投稿日時", "投稿者", "投稿", "作成日", "作成者", "公開日", "掲載日", "更新日", "更新日時", "最終更新日", "最終更新", "更新", "登録日", "発売日", "記事no", "閲覧数", "閲覧", "再生回数", "再生数", "アクセス数", "アクセスカウンター", "回視聴", "ビュー", "レビュー", "口コミ", "評価", "票", "件", "件中", "件目", "人が", "件を表示", "ページ中", "ページ目", "本日", "昨日", "累計", "合計", "トータル", "午前", "午後", "曜日", "時間前", "分前", "日前", "週間前", "か月前", "ヶ月前", "年前",
        "posted by", "posted at", "posted on", "posted in", "posted", "written by", "published", "updated", "last updated", "last modified", "by", "date", "comments", "comment", "no comments", "leave a comment", "leave a reply", "reply", "trackback", "trackbacks", "permalink", "pv", "views", "view", "votes", "admin", "am", "pm", "url", "name", "email", "total", "today", "yesterday", "id", "no.", "ago",
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "january", "february", "march", "april", "june", "july", "august", "september", "october", "november", "december", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    ];
}
