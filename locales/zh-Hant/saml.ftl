error-saml-unsolicited-title = 無法從此處開啟此應用程式
error-saml-unsolicited-text = 該應用程式僅接受由其自身發起的登入。請開啟該應用程式並在其中登入。
error-saml-logout-title = 無法使用此登出要求
error-saml-logout-text = 將您導向此處的應用程式送出了無法使用的登出要求。您可能仍處於登入狀態：請開啟使用者入口網站並在其中登出。
post-logout-title = 正在登出
post-logout-text = 正在逐一登出您的應用程式。如果沒有反應，請按「繼續」。
